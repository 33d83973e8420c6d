"""POST /ai/datasets/{dataset_id}/reference-images"""

from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response
from imagetrail.schemas import ReferenceUploadRequest
from imagetrail.wiring import deployment


@endpoint(body=ReferenceUploadRequest, answers={201: "ReferenceUpload"}, problems=(409,))
def handler(request: Request) -> Response:
    """Make room for a reference image, and get a form to upload it with. The dataset tells what became of it."""
    dataset_id = request.path_id("dataset_id")
    upload = deployment().references.request_upload(request.caller, dataset_id, request.body.model_dump())
    return Response(201, upload, {"location": f"/ai/datasets/{dataset_id}"})
