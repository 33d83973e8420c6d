"""GET /ai/generated-images/search"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.queries import SEARCH_IMAGES
from imagetrail.wiring import deployment


@endpoint(query=SEARCH_IMAGES, answers={200: "SearchPage"})
def handler(request: Request) -> Response:
    """Finds images by the words of their prompts: words, "phrases", prefix*, -exclusion, OR, style: model: dataset:"""
    from imagetrail.search.searching import SearchQuery

    query = SearchQuery(**request.filters)
    page = deployment().search.page(request.caller, query, request.public_url, request.time_left)
    return Response(200, page)
