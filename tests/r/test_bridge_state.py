"""Global state: the folder and the machine change no fit, and a fit changes nothing there."""

from __future__ import annotations

import os

import pytest

import rbridge as rb
from rbridge.errors import RError
from rbridge.r.session import session
from tests.support.bridging import define, grouped, in_r
from tests.support.grades import graded
from tests.support.processes import says

FIT = """
    from tests.support.bridging import grouped, in_r
    import rbridge as rb
    frame = grouped()
    frame["s"] = ["b", "a", "c"] * 20
    print(rb.lme("y ~ s + x", frame, "~ 1 | g").params.to_dict(), in_r("Sys.timezone()"))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return says(FIT, cwd=tmp_path_factory.mktemp("empty"))


def test_rdata_in_the_working_directory_is_not_loaded(tmp_path, undisturbed):
    target = str(tmp_path / ".RData")
    in_r(
        f"c <- fixef <- lme <- function(...) 1; save(c, fixef, lme, file = '{target}'); "
        "rm(c, fixef, lme); NULL"
    )
    assert os.path.exists(target) and says(FIT, cwd=tmp_path) == undisturbed


PROFILES = {
    "options": 'options(contrasts = c("contr.sum", "contr.poly"), OutDec = ",", warn = -1)',
    "quits": "quit(status = 3)",
    "prints": 'cat("Welcome!\\n"); print("LD_LIBRARY_PATH=1")',
    "masks": "lme <- function(...) 1; options(digits = 2, scipen = 100, na.action = 'na.fail')",
}


@pytest.mark.parametrize("name", graded(PROFILES, {"options", "masks"}))
def test_rprofile_changes_nothing(tmp_path, undisturbed, name):
    (tmp_path / ".Rprofile").write_text(PROFILES[name] + "\n")
    assert says(FIT, cwd=tmp_path) == undisturbed
    assert says(FIT, R_PROFILE_USER=str(tmp_path / ".Rprofile")) == undisturbed


def test_rprofile_may_be_asked_for_and_still_changes_no_number(tmp_path, undisturbed):
    (tmp_path / "mine").write_text('options(contrasts = c("contr.sum", "contr.poly")); zz <- 5\n')
    profile = str(tmp_path / "mine")
    assert says(FIT, RBRIDGE_R_PROFILE=profile) == undisturbed
    assert says(FIT + "    print(in_r('zz'))", RBRIDGE_R_PROFILE=profile).endswith("[5.]")


def test_renviron_in_the_working_directory_is_read_only_if_named(tmp_path, undisturbed):
    (tmp_path / ".Renviron").write_text(f"TZ=Asia/Tokyo\nR_LIBS_USER={tmp_path}\nMARK=5\n")
    assert says(FIT, cwd=tmp_path) == undisturbed
    code = "from tests.support.bridging import in_r; print(in_r('Sys.getenv(\"MARK\")')[0])"
    assert says(code, cwd=tmp_path) == ""
    doctor = "import rbridge as rb; print(rb.doctor())"
    assert "not read; set R_ENVIRON_USER" in says(doctor, cwd=tmp_path)


def test_options_of_another_user_of_r_change_nothing():
    right = rb.lme("y ~ s + x", grouped().assign(s=["b", "a"] * 30), "~ 1 | g").params
    in_r(
        'old <- options(contrasts = c("contr.sum", "contr.poly"), OutDec = ",", warn = 2, '
        'na.action = "na.pass", digits = 1); NULL'
    )
    try:
        fit = rb.lme("y ~ s + x", grouped().assign(s=["b", "a"] * 30), "~ 1 | g")
        assert fit.params.equals(right)
        assert in_r("getOption('OutDec')") == (",",)  # and theirs are back
    finally:
        in_r("options(old); rm(old); NULL")


def test_r_compiles_the_functions_of_its_other_users():
    before = in_r("compiler::enableJIT(-1L)")
    define("compiling", "function() compiler::enableJIT(-1L)")
    assert session().call("compiling").value == (0,)
    assert before[0] > 0 and in_r("compiler::enableJIT(-1L)") == before


@pytest.mark.parametrize("code", ["utils::menu(c('a', 'b'))", "readline('?')", "file.choose()"])
def test_prompts_get_no_answer_and_do_not_wait(code):
    define("ask", f"function() {code}")
    try:
        assert session().call("ask").value in (("",), None)
    except RError as error:
        assert "interactive" in error.message or "choice" in error.message


def test_q_is_an_error():
    for code in ("q()", "quit(status = 0)", "base::q('no')"):
        define("end", f"function() {code}")
        with pytest.raises(RError, match="would end Python"):
            session().call("end")


def test_the_environment_stays_as_it_was():
    code = """
        import os, subprocess
        def seen(): return set(subprocess.run(["env"], capture_output=True).stdout.splitlines())
        before, python = seen(), dict(os.environ)
        from tests.support.bridging import grouped
        import rbridge as rb
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        added = {line.split(b"=")[0].decode() for line in seen() ^ before}
        print(sorted(added), sorted(set(os.environ) ^ set(python)))
    """
    kept = "['R_HOME']"
    assert says(code, R_HOME=None, LD_LIBRARY_PATH=None) == f"{kept} {kept}"


def test_the_locale_c_keeps_names_and_numbers():
    code = """
        from tests.support.bridging import grouped, in_r
        import rbridge as rb
        frame = grouped().rename(columns={"x": "größe"}).assign(s=["é", "变"] * 30)
        print(ascii(list(rb.lme("y ~ größe + s", frame, "~ 1 | g").params.index)))
        print(in_r("nchar('é')"))
    """
    expected = ascii(["(Intercept)", "größe", "s变"]) + "\n[1]"
    assert says(code, LC_ALL="C", LANG=None) == expected
    assert says(code, LC_ALL="POSIX", PYTHONUTF8="1", PYTHONCOERCECLOCALE="0") == expected


def test_decimal_commas_and_another_language(tmp_path):
    made = os.system(f"localedef -i de_DE -f UTF-8 {tmp_path}/de_DE.UTF-8 2>/dev/null")
    if made:
        pytest.skip("this machine cannot make a German locale")
    code = """
        import locale, time, warnings
        locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
        from tests.support.bridging import grouped
        import rbridge as rb
        frame = grouped().assign(h=[0.5, 1.5] * 30)
        control = {"maxIter": 1, "msMaxIter": 1, "niterEM": 0, "returnObject": True}
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            early = rb.lme("y ~ x", frame, "~ x | g", control=control)
        fit = rb.lme("y ~ factor(h) + x", frame, "~ 1 | g")
        print(list(fit.params.index), early.converged, locale.localeconv()["decimal_point"])
    """
    expected = "['(Intercept)', 'factor(h)1.5', 'x'] False ,"
    assert says(code, LOCPATH=str(tmp_path), LANG="de_DE.UTF-8", LANGUAGE="de") == expected


def test_pythons_locale_stays_as_it_was():
    code = """
        import locale
        before = locale.setlocale(locale.LC_ALL)
        from tests.support.bridging import grouped
        import rbridge as rb
        rb.lme("y ~ x", grouped(), "~ 1 | g")
        print(before == locale.setlocale(locale.LC_ALL))
    """
    assert says(code, LC_ALL=None, LANG="C.UTF-8") == "True"


def test_directory_random_numbers_plots_and_sinks_stay_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    define(
        "restless",
        """function() {
        setwd("/"); set.seed(1); stats::runif(1); graphics::plot(1:3); sink(tempfile())
        print("lost"); options(digits = 3); 1 }""",
    )
    in_r("set.seed(42); NULL")
    seed = in_r(".Random.seed").tolist()
    session().call("restless")
    assert os.getcwd() == str(tmp_path) and not list(tmp_path.iterdir())
    assert in_r(".Random.seed").tolist() == seed
    assert in_r("length(grDevices::dev.list())")[0] == 0 and in_r("sink.number()")[0] == 0
    in_r("rm(.Random.seed, envir = globalenv()); NULL")
    session().call("restless")
    assert not in_r("exists('.Random.seed', globalenv())")[0]


def test_what_r_prints_stays_off_the_terminal(capfd):
    define("chatty", "function() { print('hello'); cat('x'); message('said'); 1 }")
    answer = session().call("chatty")
    assert answer.messages == ("said\n",) and capfd.readouterr() == ("", "")


def test_the_end_of_a_fit_leaves_a_changed_directory_alone(tmp_path, monkeypatch):
    for i in range(20):  # the release of a fit runs while Python goes on
        fit = rb.lme("y ~ x", grouped(), "~ 1 | g")
        del fit
        folder = tmp_path / str(i)
        folder.mkdir()
        monkeypatch.chdir(folder)
        session().call("versions")
        assert os.getcwd() == str(folder)
