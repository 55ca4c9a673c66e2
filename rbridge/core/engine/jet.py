"""Exact first and second derivatives: arithmetic on (value, gradient, Hessian)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike

from ..arrays import Array


class Jet(NDArrayOperatorsMixin):
    """An array that carries its derivatives with respect to p parameters.

    It passes through ``+ - * / **``, ``np.exp``, ``np.log``, ``np.sqrt`` and indexing, so one
    plain numpy function of the parameters yields the value and both derivatives, exact to
    rounding.

    Attributes
    ----------
    value : (...) array
    grad : (p, ...) array
    hess : (p, p, ...) array
    """

    def __init__(self, value: ArrayLike, grad: Array, hess: Array) -> None:
        self.value: Array = np.asarray(value, dtype=float)
        self.grad = grad
        self.hess = hess

    @property
    def real(self) -> Array:
        """The value: what a comparison may look at, as with a complex number."""
        return self.value

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __getitem__(self, index: Any) -> Jet:
        index = index if isinstance(index, tuple) else (index,)
        every = slice(None)
        return Jet(self.value[index], self.grad[(every, *index)], self.hess[(every, every, *index)])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        rule = _RULES.get(ufunc)
        if rule is None or method != "__call__" or kwargs:
            return NotImplemented
        return rule(*inputs)


def variables(values: ArrayLike) -> Jet:
    """The (p,) vector of independent variables: gradient I, Hessian 0."""
    values = np.asarray(values, dtype=float)
    p = len(values)
    return Jet(values, np.eye(p), np.zeros((p, p, p)))


def solve(A: Any, b: Any) -> Any:
    """Solution x (n,) of A x = b, plain, complex or :class:`Jet`: Aẋ = ḃ − Ȧx and once more."""
    if not isinstance(A, Jet) and not isinstance(b, Jet):
        return np.linalg.solve(A, b)
    p = len(A.grad if isinstance(A, Jet) else b.grad)
    A, b = (x if isinstance(x, Jet) else _constant(x, p) for x in (A, b))
    inverse = np.linalg.inv(A.value)
    x = inverse @ b.value
    first = (b.grad - A.grad @ x) @ inverse.T
    mixed = np.einsum("rij,sj->rsi", A.grad, first)
    second = (b.hess - A.hess @ x - mixed - mixed.swapaxes(0, 1)) @ inverse.T
    return Jet(x, first, second)


def _constant(value: ArrayLike, p: int) -> Jet:
    value = np.asarray(value, dtype=float)
    return Jet(value, np.zeros((p, *value.shape)), np.zeros((p, p, *value.shape)))


def _chain(a: Jet, value: Array, first: Array, second: Array) -> Jet:
    """f(a) for an elementwise f with the given derivatives at ``a.value``."""
    grad = first * _lift(a.grad, 1, first.ndim)
    squares = a.grad[:, None] * a.grad[None]
    hess = second * _lift(squares, 2, first.ndim) + first * _lift(a.hess, 2, first.ndim)
    return Jet(value, grad, hess)


def _lift(derivative: Array, leading: int, ndim: int) -> Array:
    """Insert axes after the parameter axes so that ``derivative`` broadcasts as its value does."""
    shape = derivative.shape
    missing = max(ndim - (derivative.ndim - leading), 0)
    return derivative.reshape(shape[:leading] + (1,) * missing + shape[leading:])


def _add(a: Any, b: Any) -> Jet:
    if not isinstance(a, Jet):
        a, b = b, a
    value = a.value + (b.value if isinstance(b, Jet) else b)
    if not isinstance(b, Jet):
        b = _constant(np.zeros(np.shape(b)), len(a.grad))
    grad = _lift(a.grad, 1, value.ndim) + _lift(b.grad, 1, value.ndim)
    return Jet(value, grad, _lift(a.hess, 2, value.ndim) + _lift(b.hess, 2, value.ndim))


def _multiply(a: Any, b: Any) -> Jet:
    if not isinstance(a, Jet):
        a, b = b, a
    if not isinstance(b, Jet):
        value = np.asarray(a.value * b)
        grad, hess = (_lift(x, i, value.ndim) * b for i, x in ((1, a.grad), (2, a.hess)))
        return Jet(value, grad, hess)
    value = a.value * b.value
    a_grad, b_grad = (_lift(x.grad, 1, value.ndim) for x in (a, b))
    a_hess, b_hess = (_lift(x.hess, 2, value.ndim) for x in (a, b))
    cross = a_grad[:, None] * b_grad[None]
    hess = a.value * b_hess + b.value * a_hess + cross + cross.swapaxes(0, 1)
    return Jet(value, a.value * b_grad + b.value * a_grad, hess)


def _power(a: Any, b: Any) -> Jet:
    if not isinstance(a, Jet):
        # the logarithm at base 0 is never used: there 0**t is 0 for every t > 0
        base = np.asarray(a, dtype=float)
        log = np.log(np.where(base > 0, base, 1.0))
        value = base**b.value
        return _chain(b, value, log * value, log**2 * value)
    b = np.asarray(b, dtype=float)
    # b a^(b-1) with the exponent clipped where the factor is zero: no 0 * inf at a = 0
    first = b * a.value ** np.where(b == 0, 1.0, b - 1)
    factor = b * (b - 1)
    second = factor * a.value ** np.where(factor == 0, 1.0, b - 2)
    return _chain(a, a.value**b, first, second)


def _exp(a: Jet) -> Jet:
    value = np.exp(a.value)
    return _chain(a, value, value, value)


def _log(a: Jet) -> Jet:
    return _chain(a, np.log(a.value), 1 / a.value, -1 / a.value**2)


def _subtract(a: Any, b: Any) -> Jet:
    return _add(a, _multiply(b, -1.0) if isinstance(b, Jet) else -np.asarray(b))


def _divide(a: Any, b: Any) -> Jet:
    return _multiply(a, _power(b, -1.0) if isinstance(b, Jet) else 1 / np.asarray(b))


_RULES: dict[np.ufunc, Callable[..., Jet]] = {
    np.add: _add,
    np.subtract: _subtract,
    np.multiply: _multiply,
    np.divide: _divide,
    np.negative: lambda a: _multiply(a, -1.0),
    np.power: _power,
    np.exp: _exp,
    np.log: _log,
    np.sqrt: lambda a: _power(a, 0.5),
}
