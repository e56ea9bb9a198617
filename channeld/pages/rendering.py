"""The pages: each function takes all that its page shows, and returns the bytes of the HTML.

The same values give the same bytes. A page loads nothing, runs nothing, links to nothing outside its channel, and
is served with ``channeld.pages.policy.CONTENT_SECURITY_POLICY``.
"""

from __future__ import annotations

from channeld.pages.commands import channel_url, commands
from channeld.pages.environment import environment
from channeld.pages.links import to_channel, without_token
from channeld.pages.values import (
    BROKEN_LABEL,
    DEFAULT_LABEL,
    ApiPage,
    ChannelPage,
    ErrorPage,
    ServerPage,
    SubdirPage,
)


def prepare() -> None:
    """Compile the templates of a channel: 50 ms for which the first of its pages would wait."""
    for template in ("subdir.html", "channel.html"):
        environment().get_template(template)


def subdir_page(page: SubdirPage) -> bytes:
    """Make the page of one subdir of a channel or label."""
    return _render("subdir.html", page=page, **_surroundings(page))


def channel_page(page: ChannelPage) -> bytes:
    """Make the page of a channel, or of one of its labels."""
    url = channel_url(page)
    return _render(
        "channel.html",
        page=page,
        url=url,
        commands=commands(url),
        packages=sum(line.packages for line in page.subdirs),
        filled=tuple(line for line in page.subdirs if line.packages),
        empty=tuple(line for line in page.subdirs if not line.packages),
        **_surroundings(page),
    )


def server_page(page: ServerPage) -> bytes:
    """Make the front page of the server."""
    return _render("server.html", page=page)


def api_page(page: ApiPage) -> bytes:
    """Make the page about the API."""
    return _render("api.html", page=page)


def error_page(page: ErrorPage) -> bytes:
    """Make the page that a browser gets with an error status. The path is shown without its token.

    This page alone links to the root of the host: the path asked for may be of any depth.
    """
    return _render("error.html", page=page, path_shown=without_token(page.path)[:300])


def not_found_page(path: str) -> bytes:
    """Make the page of a 404. It says the same whether something is not there or is not for this reader."""
    return error_page(
        ErrorPage(
            status=404,
            title="Not found",
            sentence="There is nothing at this address.",
            advice="Check the spelling of the channel, the label and the file name. A private channel can be seen "
            "with a token only.",
            path=path,
        )
    )


def _surroundings(page: SubdirPage | ChannelPage) -> dict[str, object]:
    """Return what the heads of the pages of a channel have in common."""
    up = "../" if isinstance(page, SubdirPage) else ""
    return {
        "up": up,
        "channel_folder": up + to_channel(page.label),
        "labelled": page.label != DEFAULT_LABEL,
        "broken_label": page.label == BROKEN_LABEL,
    }


def _render(template: str, **values: object) -> bytes:
    return environment().get_template(template).render(values).encode("utf-8")
