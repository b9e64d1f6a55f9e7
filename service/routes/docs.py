"""`/docs` from files in the installation: an operating room has no internet."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)
STATIC = "/docs-static"


@router.get("/")
async def root(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    root_path = request.scope.get("root_path", "")
    return get_swagger_ui_html(
        openapi_url=f"{root_path}{request.app.openapi_url}",
        title="Endomask API",
        swagger_js_url=f"{root_path}{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{root_path}{STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{root_path}{STATIC}/favicon.png",
        swagger_ui_parameters={"tryItOutEnabled": True},
    )


def mount_static(app: FastAPI) -> None:
    app.mount(STATIC, StaticFiles(packages=[("fastapi_offline", "static")]), name="docs-static")
