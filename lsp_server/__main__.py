"""`lsp_server --stdio`: the language server of one editor window."""

import sys

from lsp_server.isolation import isolate

# Python threads take turns this often: what a worker thread computes (a prompt, an answer taken apart) then hardly
# holds up the event loop.
_SWITCH_INTERVAL_S = 0.0005


def main(argv: list[str] | None = None) -> int:
    """Entry point of the `lsp_server` script."""
    if argv is None:
        isolate("lsp_server")
    import argparse
    import gc
    import logging
    import threading
    from importlib.metadata import version
    from typing import BinaryIO, cast

    parser = argparse.ArgumentParser(prog="lsp_server", description="midfill: local code completion over LSP")
    parser.add_argument("--stdio", action="store_true", help="speak LSP on standard input and output")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--log-file", help="log here instead of standard error")
    parser.add_argument("--version", action="version", version=f"midfill {version('midfill')}")
    args = parser.parse_args(argv)
    if not args.stdio:
        parser.print_help(sys.stderr)
        return 2
    logging.basicConfig(
        level=args.log_level.upper(),
        handlers=[
            logging.FileHandler(args.log_file, errors="backslashreplace") if args.log_file else logging.StreamHandler()
        ],
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for talkative in ("pygls", "httpx2", "httpcore2"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    from completion.switches import UnknownSwitch
    from lsp_server.grammars import kept_out
    from lsp_server.memory import be_frugal
    from lsp_server.methods.table import build_server
    from lsp_server.output import Output

    be_frugal()
    try:
        server = build_server()
    except UnknownSwitch as error:
        sys.stderr.write(f"lsp_server: {error}\n")
        return 2
    if server.without:
        logging.warning("a benchmark: without %s", ", ".join(sorted(server.without)))
    gc.freeze()  # what is there now stays: no collection need look at it, 20 ms each
    with kept_out() as guard:
        threading.Thread(target=guard.warm, daemon=True).start()  # while the editor says hello
        try:
            server.start_io(stdout=cast(BinaryIO, Output(sys.stdout.buffer)))
        finally:  # not at `shutdown`: there are editors that do not wait for its answer
            server.recorder.leave()
    return 0 if server.was_shut_down else 1  # the protocol wants to see an `exit` without a `shutdown`


if __name__ == "__main__":
    sys.exit(main())
