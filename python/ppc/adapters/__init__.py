"""Games behind the interfaces of others: `ppc.adapters.pettingzoo`, `ppc.adapters.gymnasium`, `ppc.adapters.clemcore`.

Each needs the package that it adapts to, and says so with an ImportError when that is not installed; ppc itself needs none of them.
"""
