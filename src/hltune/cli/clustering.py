"""`hltune cluster`: flags to options, the result to people."""

from typing import Annotated

from cyclopts import Parameter

from hltune.cli.arguments import MACHINE, OUTPUT
from hltune.cli.output import JsonFlags


def cluster_status(
    *,
    cluster: Annotated[str, Parameter(group=MACHINE, metavar="ADDRESS")] = "auto",
    output: JsonFlags = JsonFlags(),
    debug: Annotated[bool, Parameter(group=OUTPUT)] = False,  # noqa: ARG001 - read where errors are shown
) -> None:
    """`hltune cluster status`.

    Args:
        cluster: auto for the cluster that runs here, or its address.
        debug: Show the traceback of an error.
    """
    from hltune.cluster.requirement import prepare_for

    prepare_for(cluster)
    from hltune.cluster.head import status
    from hltune.report.cluster import document, print_status

    output.show(document, print_status, status(cluster))
