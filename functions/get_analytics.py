"""GET /ai/analytics/{report}"""

from imagetrail.analytics.figures import as_csv
from imagetrail.analytics.parameters import MOST_ROWS, REPORT, REPORTS
from imagetrail.analytics.reports import ReportQuery, columns
from imagetrail.endpoints import endpoint
from imagetrail.http import Request, Response, csv_file
from imagetrail.wiring import deployment


@endpoint(query=REPORTS, answers={200: "Report text/csv"}, problems=(403,))
def handler(request: Request) -> Response:
    """A report of some days: the caller's own figures, for an admin everybody's. `from` is included, `to` is not."""
    asked = request.filters
    wanted = asked.pop("format", "json")
    if wanted == "csv" and "by" not in asked:
        asked.setdefault("limit", MOST_ROWS)
    query = ReportQuery(report=request.path_value(REPORT), **asked)
    report = deployment().reports.get(request.caller, query)
    if wanted == "json":
        return Response(200, report)
    name = f"{query.report}-{report['from']}-{report['to']}.csv"
    return csv_file(name, as_csv(columns(query), report["rows"]))
