"""Functions that are only ever called from a kernel: type-inferred and lowered once each, optimised once together.

Numba compiles every function it meets all the way to machine code, each with a copy of all that it calls: a kernel of a
hundred small functions takes a minute. A *part* stops at LLVM's intermediate code; the kernel links all its parts, at
any depth, into one module, and only that is optimised and compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, _LowerResult
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import (
    InlineOverloads,
    NativeLowering,
    NoPythonSupportedFeatureValidation,
    NopythonTypeInference,
)
from numba.core.untyped_passes import (
    FindLiterallyCalls,
    InlineClosureLikes,
    InlineInlinables,
    LiteralPropagationSubPipelinePass,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    RewriteDynamicRaises,
    WithLifting,
)

from pgfast.compiler.entry import entry_module
from pgfast.compiler.inference import TypeInference
from pgfast.compiler.references import is_library

# LLVM keeps to half of AVX-512's width for the sake of old processors, whose clock it slowed; a preference, no demand.
WHOLE_REGISTERS = '"prefer-vector-width"="512"'


class _Library(JITCodeLibrary):  # type: ignore[misc]
    """Code whose loops use vector registers at their full width."""

    def add_ir_module(self, ir_module: Any) -> None:
        for function in ir_module.functions:
            if not function.is_declaration:
                set.add(function.attributes, WHOLE_REGISTERS)  # llvmlite's own `add` knows no attribute with a value
        super().add_ir_module(ir_module)


class PartLibrary(_Library):
    """Intermediate code to be linked elsewhere."""

    main = ""
    attributes: tuple[str, ...] = ()  # of the function `main`
    _shared_module: Any

    def finalize(self) -> None:
        self._finalized = True

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            module = self._final_module.clone()
            for function in module.functions:
                if not function.is_declaration and function.linkage == Linkage.external:
                    function.linkage = "weak_odr"  # kept even where nothing linked so far refers to it
                    for attribute in self.attributes if function.name == self.main else ():
                        function.add_function_attribute(attribute)
            self._shared_module = module
        return self._shared_module


class KernelLibrary(_Library):
    """Links the parts it calls and the parts that those call."""

    def add_linking_library(self, library: Any) -> None:
        for part in _with_parts(library):
            if part not in self._linking_libraries:
                super().add_linking_library(part)

    object_code: bytes

    def _optimize_final_module(self) -> None:
        for library in self._linking_libraries:
            if not isinstance(library, PartLibrary):  # numba's runtime: of it only what parts refer to is linked, so
                self._final_module.link_in(library._get_module_for_linking(), preserve=True)  # once more, after them
        for function in self._final_module.functions:
            if function.linkage == Linkage.weak_odr:
                function.linkage = "internal"  # nobody else calls it
        manager, builder = self._codegen._module_pass_manager()
        manager.add_strip_dead_prototype_pass()  # what is declared then is called
        with self._recorded_timings.record("Module passes (full optimization)", builder):
            manager.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self.object_code = self._codegen._tm.emit_object(self._final_module)
        self._finalized = True


def _with_parts(library: Any) -> Iterator[Any]:
    yield library
    if isinstance(library, PartLibrary):
        for inner in library._linking_libraries:
            yield from _with_parts(inner)


class _Lowering(NativeLowering):  # type: ignore[misc]
    """Lowers without numba's wrappers and without machine code."""

    def lower(self, state: Any, library: Any) -> Any:
        state.flags.no_compile = True
        state.flags.no_cpython_wrapper = True
        state.flags.no_cfunc_wrapper = True
        state.library = library
        state.library.enable_object_caching()
        super().run_pass(state)
        result = state["cr"]
        key: Any = [].append  # stands for an entry point that Python can call, of which there is none
        state["cr"] = _LowerResult(result.fndesc, result.call_helper, cfunc=key, env=result.env)
        return state["cr"]


@register_pass(mutates_CFG=True, analysis_only=False)
class PartLowering(_Lowering):
    """Lowers a part."""

    _name = "pgfast_part_lowering"
    attributes: tuple[str, ...] = ()

    def run_pass(self, state: Any) -> bool:
        result = self.lower(state, PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname))
        state.library.attributes = self.attributes
        state.library.main = result.fndesc.llvm_func_name
        state.targetctx.insert_user_function(result.cfunc, result.fndesc, [state.library])
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class ApartLowering(PartLowering):
    """Lowers a part whose arguments share no memory."""

    _name = "pgfast_apart_lowering"

    def run_pass(self, state: Any) -> bool:
        state.flags.noalias = True
        return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class UnitLowering(PartLowering):
    """Lowers a part that is compiled for size and called."""

    _name = "pgfast_unit_lowering"
    attributes = "noinline", "cold", "optsize"


@register_pass(mutates_CFG=True, analysis_only=False)
class BusyLowering(PartLowering):
    """Lowers a part that is compiled for speed and called."""

    _name = "pgfast_busy_lowering"
    attributes = ("noinline",)


@register_pass(mutates_CFG=True, analysis_only=False)
class KernelLowering(_Lowering):
    """Lowers into a library that takes in all parts and has an entry for a block of arguments."""

    _name = "pgfast_kernel_lowering"

    def run_pass(self, state: Any) -> bool:
        result = self.lower(state, KernelLibrary(state.targetctx.codegen(), state.func_id.func_qualname))
        state.library.add_ir_module(entry_module(state.targetctx, result.fndesc))
        return True


class _Passes(PassManager):  # type: ignore[misc]
    """Passes, after each of which numba can work out anew which variables live where. From type inference on, every
    pass that asks for it does so itself; in kernels' own code so do those before, and some have nothing to do."""

    def __init__(self, passes: list[Any], own_code: bool) -> None:
        super().__init__("nopython")
        self.passes = [(p, text) for p, text in passes if not own_code or p not in _FOR_USERS]
        self._ENFORCING = not own_code
        self.finalize()

    def _runPass(self, index: int, pss: Any, internal_state: Any) -> None:  # noqa: N802
        self._ENFORCING = self._ENFORCING and not isinstance(pss, TypeInference)
        super()._runPass(index, pss, internal_state)


# For what no kernel has in it: closures, with statements, exceptions, what is inlined before its types are known.
_FOR_USERS = (
    WithLifting,
    InlineClosureLikes,
    RewriteDynamicRaises,
    MakeFunctionToJitFunction,
    InlineInlinables,
    FindLiterallyCalls,
    LiteralUnroll,
    LiteralPropagationSubPipelinePass,
    InlineOverloads,
    NoPythonSupportedFeatureValidation,
)


class _Types(tuple[Any, ...]):
    """Types of arguments, which numba writes out before every pass; those of records are long."""

    def __str__(self) -> str:
        return f"{len(self)} types"


class MethodCompiler(CompilerBase):  # type: ignore[misc]
    """For methods that call each other through ``self``."""

    lowering: type = NativeLowering

    def define_pipelines(self) -> list[Any]:
        self.state.args = _Types(self.state.args)
        numbas = DefaultPassBuilder.define_nopython_pipeline(self.state).passes
        own = {NopythonTypeInference: TypeInference, NativeLowering: self.lowering}
        if not own.keys() <= {p for p, _ in numbas}:
            raise RuntimeError("this version of numba compiles functions in a way that pgfast doesn't know")
        passes = [(own.get(p, p), text) for p, text in numbas]
        return [_Passes(passes, own_code=is_library(self.state.func_id.func.__module__))]


class PartCompiler(MethodCompiler):
    """For functions called from kernels only."""

    lowering = PartLowering


class ApartCompiler(MethodCompiler):
    """For parts whose arguments share no memory."""

    lowering = ApartLowering


class UnitCompiler(MethodCompiler):
    """For parts that are called, and small."""

    lowering = UnitLowering


class BusyCompiler(MethodCompiler):
    """For parts that are called, and quick."""

    lowering = BusyLowering


class KernelCompiler(MethodCompiler):
    """For kernels."""

    lowering = KernelLowering
