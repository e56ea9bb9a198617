"""The command ``channeld``. Each command lives in a module of its own, loaded when it is called."""

from __future__ import annotations

from channeld.cli.group import CommandGroup, Entry

_EPILOG = """\
\b
Examples:
  channeld serve                                          a server, with its data in ./data
  channeld channel create tools                           a channel
  channeld upload --channel tools --wait 60 dist/*.conda  packages, and wait until they are live
  channeld label copy tools --from dev --to main          promote what was tested
  channeld broken mark tools numpy-2.0.0-0.conda          hide a bad package from solvers

\b
Which server, and as whom:
  --server or CHANNELD_URL, and CHANNELD_TOKEN or CHANNELD_TOKEN_FILE. Without a server named, the one of the
  settings. A lost administrator's token: `channeld db admin-token`, on the server's own machine.

\b
Exit status:
  0  done
  1  refused, or failed: the reason is on standard error
  2  the command line is wrong
  3  the server cannot be reached, or cannot do it now: try again later
  130  stopped by Ctrl-C
"""

main = CommandGroup(
    "channeld",
    help="A conda channel server: it takes packages in, indexes them and serves them.",
    epilog=_EPILOG,
    context_settings={"max_content_width": 110},
    entries=(
        Entry("Server", "serve", "channeld.cli.serve:serve", "Serve channels until told to stop."),
        Entry("Server", "status", "channeld.cli.status:status", "Show how a running server is."),
        Entry(
            "Server",
            "config",
            "channeld.cli.config:config",
            "Check the settings, show them, and print their reference.",
        ),
        Entry("Server", "token", "channeld.cli.token:token", "Create, list and revoke tokens."),
        Entry("Server", "webhook", "channeld.cli.webhook:webhook", "Have others told of what happens."),
        Entry("Server", "audit", "channeld.cli.audit:audit", "Show who changed what."),
        Entry(
            "Channels", "channel", "channeld.cli.channel:channel", "Create, configure and delete channels."
        ),
        Entry("Channels", "label", "channeld.cli.label:label", "Put labels on packages and take them off."),
        Entry("Channels", "broken", "channeld.cli.broken:broken", "Hide broken packages from solvers."),
        Entry("Channels", "notice", "channeld.cli.notice:notice", "Tell the users of a channel something."),
        Entry(
            "Promotion",
            "feedstock",
            "channeld.cli.feedstock:feedstock",
            "Register feedstocks, and make their tokens.",
        ),
        Entry(
            "Promotion",
            "output",
            "channeld.cli.outputs:output",
            "Say which feedstock publishes which package.",
        ),
        Entry(
            "Promotion",
            "apply",
            "channeld.cli.apply:apply",
            "Apply files of requests, as conda-forge writes them.",
        ),
        Entry("Packages", "upload", "channeld.cli.upload:upload", "Upload packages."),
        Entry("Packages", "copy", "channeld.cli.copy:copy", "Promote packages from a staging channel."),
        Entry("Packages", "file", "channeld.cli.file:file", "List, look at and delete files of a channel."),
        Entry("Data", "index", "channeld.cli.index:index", "Index a folder of packages, without a server."),
        Entry("Data", "import", "channeld.cli.import_:import_", "Import a channel from elsewhere."),
        Entry("Data", "fsck", "channeld.cli.fsck:fsck", "Check what is stored, and repair it."),
        Entry("Data", "db", "channeld.cli.db:db", "Look after the catalog's database."),
        Entry("Data", "backup", "channeld.cli.backup:backup", "Back everything up into a folder."),
        Entry("Data", "restore", "channeld.cli.backup:restore", "Restore a backup."),
    ),
)
