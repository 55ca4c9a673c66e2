"""Random formulas over the functions that a formula may call, and data for them."""

from __future__ import annotations

import numpy as np
import pandas as pd

_ONE = (
    "I(%s) abs(%s) log1p(abs(%s)) exp(-abs(%s)) sqrt(abs(%s)) sin(%s) cos(%s) atan(%s) tanh(%s) "
    "floor(%s) round(%s,1) sign(%s) scale(%s) as.numeric(%s) c(%s) as.numeric(scale(%s)) "
    "scale(%s,scale=FALSE) scale(%s,TRUE,FALSE) scale(%s,center=FALSE) scale(scale=FALSE,x=%s) "
    "ns(%s,3) bs(%s,df=4) bs(df=4,x=%s) ns(%s,knots=c(0,1)) poly(%s,2) poly(%s,2,raw=TRUE) "
    "poly(%s,degree=3) poly(%s,2,simple=TRUE) cut(%s,3,labels=FALSE) as.numeric(cut(%s,4)) "
    "as.integer(cut(%s,c(-9,0,1,99),right=FALSE)) as.numeric(factor(round(%s))) I(%s^2)"
).split()
_TWO = (
    "I(%s+%s) I(%s*%s) I(%s-%s) I(%s/(3+abs(%s))) pmin(%s,%s) pmax(%s,%s) pmax(%s,0)+I(%s) "
    "ifelse(%s>0,%s,0) poly(%s,%s,degree=2) I(scale(%s)*poly(%s,2)) ifelse(%s%%in%%k,%s,0)"
).split()
_FACTORS = (
    "f h factor(k) ordered(k) as.factor(k) relevel(h,ref='v') relevel(factor(f),ref='b') "
    "interaction(f,h) interaction(f,k,drop=TRUE) I(f:h) factor(k,labels=c('p','q','r')) "
    "factor(k,levels=c(3,2,1)) cut(%s,3) cut(%s,c(-99,0,99)) ordered(cut(%s,3)) factor(round(%s)) "
    "interaction(f,cut(%s,2)) ifelse(%s>0,'B','a') I(%s>0) I(f=='a') I(k%%in%%c(1,2)) is.na(%s) "
    "factor(ifelse(%s>0,'up','down')) I(!(%s>0)) I(%s>0&k>1) I(h!='u')"
).split()
_OF_FACTORS = "as.numeric(%s) as.integer(%s) I(as.numeric(%s)^2) scale(as.numeric(%s))".split()


def data(rng: np.random.Generator, n: int = 120) -> pd.DataFrame:
    """Numbers x, z, w, a count k, text f, a category h, groups g and a response y."""
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.gamma(2, size=n)})
    frame["w"] = rng.uniform(-3, 5, n)
    frame["k"], frame["g"] = rng.integers(1, 4, n), np.arange(n) % 12
    frame["f"] = rng.choice(list("abc"), n)
    frame["h"] = pd.Categorical(rng.choice(list("uvw"), n), categories=list("wvu"))
    return frame.assign(y=frame.x + rng.normal(size=n) + rng.normal(size=12)[frame.g])


def number(rng: np.random.Generator, depth: int) -> str:
    """A numeric expression (a matrix now and then) of functions in functions."""
    if depth == 0:
        return str(rng.choice(["x", "z", "w", "k", "x", "w"]))
    kind = rng.random()
    if kind < 0.6:
        return _filled(rng, str(rng.choice(_ONE)), depth)
    if kind < 0.85:
        return _filled(rng, str(rng.choice(_TWO)), depth)
    return str(rng.choice(_OF_FACTORS)) % factor(rng, depth - 1)


def factor(rng: np.random.Generator, depth: int) -> str:
    """An expression that R makes a factor of."""
    return _filled(rng, str(rng.choice(_FACTORS)), depth)


def _filled(rng: np.random.Generator, pattern: str, depth: int) -> str:
    inner = tuple(number(rng, max(depth - 1, 0)) for _ in range(pattern.count("%s")))
    return pattern % inner if inner else pattern.replace("%%", "%")


def right_side(rng: np.random.Generator) -> str:
    """One or two random terms, joined by + : or *."""
    terms = [
        factor(rng, int(rng.integers(0, 3)))
        if rng.random() < 0.35
        else number(rng, int(rng.integers(1, 4)))
        for _ in range(int(rng.integers(1, 3)))
    ]
    return f" {rng.choice(['+', '+', ':', '*'])} ".join(terms)
