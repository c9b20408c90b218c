"""Times duress beside other attack libraries: same weights, samples, steps and threads.

    python compare.py --models FOLDER [FOLDER ...] [--duress COMMAND] [--autoattack CHECKOUT]

A model folder holds `model.safetensors`, `meta.json` (`forward` names the architecture, `eps_linf`
and `eps_l2` the radii) and `eval.npz` (`x` float32 [n, 1, side, side] in [0, 1], `y` int64 [n]). Only
samples that the net gets right are attacked. Each toolkit makes one short call to warm up; then
rounds go from toolkit to toolkit, each round starting with another one, and every call is timed as
a whole, the mean of as many calls as fill half a second. The ratio columns are the median of the peer's time over that of duress in the same round:
above 1, duress is faster. What is compared with which numbers is in `plan.py`.
"""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from plan import PLANS
from timing import fix_threads

OUTPUT = Path(__file__).resolve().parents[2] / "target" / "peers.json"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit code 2."""
        self.exit(2, f"compare.py: {message}\n")


def arguments() -> argparse.Namespace:
    """What the user asks for."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--duress", metavar="COMMAND", help="see duress.py; without it, peers only")
    parser.add_argument("--autoattack", type=Path, metavar="CHECKOUT", help="official repository")
    parser.add_argument("--only", nargs="+", choices=PLANS, metavar="ATTACK", help=", ".join(PLANS))
    parser.add_argument("--toolkits", nargs="+", metavar="NAME", help="only these peers")
    parser.add_argument(
        "--samples", type=positive_number, help="instead of each attack's own number"
    )
    parser.add_argument("--threads", type=positive_number, default=1)
    parser.add_argument("--rounds", type=positive_number, default=5)
    parser.add_argument("--out", type=Path, default=OUTPUT, help="JSON file [target/peers.json]")
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = arguments()
    fix_threads(options.threads)
    # torch reads the thread variables when it is loaded, so nothing that needs it comes sooner.
    from nets import InputError
    from rounds import compare

    try:
        print(compare(options))
    except (InputError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        sys.exit(2)


def positive_number(text: str) -> int:
    """A count on the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return value


if __name__ == "__main__":
    main()
