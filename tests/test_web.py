"""The page in a headless Chromium: its numbers are Python's, and it needs neither mouse, network nor good eyes."""

import base64
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tfvae import data, export, heads, zoo
from tfvae.browser import Server, is_page, serve
from tfvae.cli import app
from tfvae.errors import ExportError
from tfvae.evaluation import anomaly
from tfvae.export.web import runtime, web_page
from tfvae.export.web.facts import latent_map
from tfvae.run import Options

PAGE = Path(runtime.__file__).parent / "page"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
DESKTOP, PHONE = (1280, 900, False), (390, 844, True)
AXE = "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz"
AXE_INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def _missing(what):
    """A failure in CI, a skip elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder, as far as the page needs it, and its data."""
    folder = tmp_path_factory.mktemp("run")
    options = Options.choose("vae", "digits", latent_dim=4, units=(32,))
    (folder / "run.json").write_text(json.dumps(options.as_json()))
    splits = options.load_data()
    keras.utils.set_random_seed(1)
    model = zoo.vae(splits.shape, 4, units=(32,), seed=1)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(splits.train, epochs=8, verbose=0)
    model.save(folder / "model.keras")
    return folder, model, splits


@pytest.fixture(scope="module")
def brought():
    try:
        return runtime.files()
    except ExportError as error:
        _missing(str(error))


@pytest.fixture(scope="module")
def page(run, brought):
    folder = run[0] / "page"
    done = CliRunner().invoke(app, ["export", "--web", str(folder), str(run[0])])
    assert done.exit_code == 0, done.output
    return folder


class Browser:
    """One Chromium with an empty profile, on one page."""

    def __init__(self, folder, profile):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.server = Server(folder)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.script = self.driver.execute_script

    def open(self, width, height, mobile, scheme="light"):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile},
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        self.driver.get(self.server.address)
        self.wait("return !!globalThis.tfvae && (tfvae.state.ready || !!tfvae.state.failed)")
        assert self.script("return tfvae.state.failed ?? null") is None
        return self

    def wait(self, condition):
        end = time.monotonic() + 30
        while not self.script(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    def state(self, *names):
        """Read numbers of the page once it is at rest."""
        time.sleep(0.15)
        read = self.script(
            "return arguments[0].map((name) => { const v = tfvae.state[name]; return v?.length ? [...v] : v; })", names
        )
        return [np.array(value, np.float32) for value in read]

    def text(self, name):
        return self.script("return document.getElementById(arguments[0]).textContent", name)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def stroke(self, *places):
        """Draw through pixels of the drawing, (column, row) each."""
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.by import By

        canvas = self.driver.find_element(By.ID, "drawing")
        pixel = (canvas.size["width"] - 2) / 8
        moves = ActionChains(self.driver, duration=0)
        for number, place in enumerate(places):
            moves.move_to_element_with_offset(canvas, *(round((at - 3.5) * pixel) for at in place))
            if number == 0:
                moves.click_and_hold()
        moves.release().perform()

    def tab_to(self, name):
        from selenium.webdriver import Keys

        for _ in range(60):
            self.press(Keys.TAB)
            if self.script("return document.activeElement.id") == name:
                return
        raise AssertionError(f"{name} is not reached by Tab")

    def picture(self, path, height=None):
        """Draw the page into a file, down to its end if no height is given."""
        width, end = self.script("return [innerWidth, document.documentElement.scrollHeight]")
        height = height or end
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path.write_bytes(base64.b64decode(taken["data"]))

    def close(self):
        self.driver.quit()
        self.server.shutdown()
        self.server.server_close()


def _pictures(browser, folder):
    """Write what the README shows: the whole page on a desk, and what a phone shows of it first."""
    browser.open(*DESKTOP).picture(folder / "browser_page.png")
    browser.open(*PHONE).picture(folder / "browser_phone.png", PHONE[1])


def _browser(folder, profile):
    pytest.importorskip("selenium") if not os.environ.get("CI") else None
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        _missing("Expected chromium and chromedriver: apt-get install chromium chromium-driver")
    return Browser(folder, profile)


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    browser = _browser(page, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def alarm(run):
    _, model, splits = run
    return anomaly.calibrate(anomaly.NegativeELBO(model, progress=False), splits.array("test")[::2])


def _agrees(browser, run, alarm):
    """What the page says of its x is what Python says of it."""
    _, model, _ = run
    x, encoded, stddev, mean, decoded, elbo, p = browser.state(
        "x", "encoded", "stddev", "reconstruction", "decoded", "elbo", "p"
    )
    x = x.reshape(1, 8, 8, 1)
    q = model.encoder(x)
    np.testing.assert_allclose(encoded, q.mean()[0], atol=1e-4)
    np.testing.assert_allclose(stddev, q.stddev()[0], atol=1e-4)
    np.testing.assert_allclose(mean, model.predict(x, verbose=0).ravel(), atol=1e-4)
    np.testing.assert_allclose(decoded, mean, atol=1e-5)
    score = alarm.score(x, first=alarm.examples)
    np.testing.assert_allclose(elbo, -score[0], rtol=1e-4)
    np.testing.assert_allclose(p, alarm.p_values(x)[0], atol=1e-6)
    assert browser.text("elbo") == f"\N{MINUS SIGN}{score[0]:.2f}"
    return x


def test_examples_are_encoded_reconstructed_and_scored_as_in_python(browser, run, alarm):
    browser.open(*DESKTOP)
    assert "vae on digits" in browser.driver.title and browser.text("title") == "vae on digits"
    test, labels = run[2].array("test")[1::2], run[2].labels["test"][1::2]
    for number in (1, 58, 100):
        browser.script(
            "const r = document.getElementById('example'); r.value = arguments[0]; r.dispatchEvent(new Event('input'))",
            number,
        )
        x = _agrees(browser, run, alarm)
        np.testing.assert_array_equal(x[0], test[number - 1])
        assert browser.text("example-name") == f"{number} of 100, label {labels[number - 1]}"


def test_a_drawing_by_mouse_is_data_of_the_model(browser, run, alarm):
    from selenium.webdriver.common.by import By

    browser.open(*DESKTOP)
    browser.driver.find_element(By.ID, "clear").click()
    browser.stroke((3.5, 1), (3.5, 6))
    x = _agrees(browser, run, alarm)[0, ..., 0]
    assert set(np.unique(x)) == {0.0, 1.0} and x[1:7, 3:5].mean() > 0.7 and x[:, [0, 7]].max() == 0
    browser.driver.find_element(By.ID, "erase").click()
    browser.stroke((3.5, 1), (3.5, 3))
    assert 0 < _agrees(browser, run, alarm).sum() < x.sum()
    browser.driver.find_element(By.ID, "erase").click()
    for row in range(8):
        browser.stroke((0, row), (7, row))
    assert _agrees(browser, run, alarm).min() == 1
    assert browser.text("verdict").startswith("Unusual") and float(browser.state("p")[0]) <= 0.05
    browser.driver.find_element(By.ID, "clear").click()
    assert _agrees(browser, run, alarm).max() == 0
    browser.stroke((0, 0), (0, 2))
    browser.driver.find_element(By.ID, "centre").click()
    moved = _agrees(browser, run, alarm)[0, ..., 0]
    mean = run[2].array("test").mean((0, 3))
    for axis in (0, 1):
        middle = (mean.sum(1 - axis) @ np.arange(8)) / mean.sum()
        assert abs(np.argwhere(moved)[:, axis].mean() - middle) < 1.0


def test_the_point_drives_decode_in_its_plane(browser, run):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    browser.open(*DESKTOP)
    _, model, splits = run
    plane = latent_map(model.embed(splits.array("test")))
    canvas = browser.driver.find_element(By.ID, "map")
    for share in (0.25, -0.25):
        before = browser.state("z")[0]
        by = round(share * canvas.size["width"])
        ActionChains(browser.driver).move_to_element(canvas).click_and_hold().move_by_offset(by, by).release().perform()
        z, decoded = browser.state("z", "decoded")
        where = plane.axes @ (z - plane.origin)
        np.testing.assert_allclose(where, plane.middle + 2 * share * plane.half * np.array([1, -1]), atol=0.05)
        off = (z - before) - plane.axes.T @ (plane.axes @ (z - before))
        np.testing.assert_allclose(off, 0, atol=1e-5)  # what lies off the map stays
        np.testing.assert_allclose(decoded, model.decoder(z[None]).mean().numpy().ravel(), atol=1e-4)


def test_it_works_by_keyboard_alone(browser, run, alarm):
    from selenium.webdriver import Keys

    _, model, splits = run
    browser.open(*DESKTOP)
    browser.tab_to("map")
    plane = latent_map(model.embed(splits.array("test")))
    browser.press(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    z, decoded = browser.state("z", "decoded")
    step = plane.half / 50
    np.testing.assert_allclose(plane.axes @ (z - plane.origin), [2 * step, step], atol=1e-4)
    np.testing.assert_allclose(decoded, model.decoder(z[None]).mean().numpy().ravel(), atol=1e-4)
    browser.tab_to("axis-0")
    browser.press(Keys.END)
    np.testing.assert_allclose(plane.axes @ (browser.state("z")[0] - plane.origin), [plane.half, step], atol=1e-3)
    browser.press(Keys.TAB, Keys.TAB, Keys.ENTER, Keys.TAB, Keys.HOME)  # opens all the coordinates
    first = int(np.argmax(model.embed(splits.array("test")).var(0)))
    assert browser.state("z")[0][first] <= -3
    browser.tab_to("drawing")
    browser.press(Keys.DELETE, Keys.SPACE, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.SPACE)
    x = _agrees(browser, run, alarm)
    np.testing.assert_array_equal(np.argwhere(x[0, ..., 0]), [[3, 3], [4, 4]])
    browser.tab_to("example")
    browser.press(Keys.ARROW_RIGHT)
    np.testing.assert_array_equal(_agrees(browser, run, alarm)[0], splits.array("test")[3])
    browser.tab_to("seed")
    browser.press(Keys.BACKSPACE, "-7", Keys.ENTER)
    samples, drawn = browser.state("samples", "drawn")
    np.testing.assert_allclose(samples, model.sample(12, seed=-7).ravel(), atol=1e-4)
    browser.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)  # Generate, Next seed, first and second sample
    np.testing.assert_allclose(browser.state("z")[0], drawn[4:8], atol=1e-6)


def test_it_loads_nothing_from_elsewhere_and_reports_no_error(browser):
    browser.driver.get_log("performance")
    browser.driver.get_log("browser")
    browser.open(*DESKTOP)
    events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert len(asked) > 10 and all(url.startswith(browser.server.address) for url in asked), asked
    answers = [e["params"]["response"] for e in events if e["method"] == "Network.responseReceived"]
    assert all(answer["status"] in (200, 304) for answer in answers)
    said = [entry for entry in browser.driver.get_log("browser") if entry["level"] != "DEBUG"]
    assert not said
    outside = "return fetch('https://example.org').then(() => 'loaded', () => 'refused')"
    assert browser.script(outside) == "refused"  # by the page's own policy


@pytest.fixture(scope="module")
def axe():
    try:
        with urllib.request.urlopen(AXE, timeout=60) as answer:
            content = answer.read()
    except urllib.error.URLError as error:
        _missing(f"the accessibility check needs {AXE}: {error}")
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == AXE_INTEGRITY
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_accessibility_check_passes(browser, axe, screen, scheme, tmp_path):
    browser.open(*screen, scheme)
    browser.script("document.querySelector('details').open = true")
    assert browser.script("return document.documentElement.scrollWidth <= innerWidth")
    browser.driver.execute_script(axe)
    found = browser.driver.execute_async_script("const done = arguments[0]; axe.run().then(done)")
    assert not [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]]
    assert {"color-contrast", "document-title", "label"} <= {rule["id"] for rule in found["passes"]}
    browser.picture(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as picture:
        assert (
            picture.width == screen[0] * (2 if screen[2] else 1) and len(picture.convert("RGB").getcolors(10**6)) > 50
        )


def test_the_readme_shows_what_a_command_draws(browser, tmp_path):
    readme, folder = PAGE.parents[3] / "README.md", "tutorials/pictures"
    _pictures(browser, tmp_path)
    for name, width in (("browser_page.png", DESKTOP[0]), ("browser_phone.png", 2 * PHONE[0])):
        with Image.open(tmp_path / name) as drawn, Image.open(readme.parent / folder / name) as kept:
            assert drawn.width == kept.width == width and len(drawn.convert("RGB").getcolors(10**6)) > 50
        assert f"{folder}/{name}" in readme.read_text(encoding="utf-8")


def test_without_images_and_elbo_the_page_goes_without_canvas_and_scores(brought, tmp_path):
    noise = np.random.default_rng(0)
    splits = data.from_arrays(*(noise.normal(size=[n, 6]).astype("float32") for n in (90, 30, 30)))
    likelihood = heads.Normal(splits.shape, heads.SharedScale(0.5))
    model = zoo.wae_mmd(splits.shape, 1, units=(8,), likelihood=likelihood, seed=0)
    assert set(export.web_page(model, splits, tmp_path / "page", title="vectors")) == {"elbo"}
    browser = _browser(tmp_path / "page", tmp_path / "profile")
    try:
        browser.open(*PHONE)
        assert browser.text("draw-title") == "Reconstruct" and "one channel" in browser.text("draw-help")
        assert browser.script(
            "return document.getElementById('numbers').hidden && document.getElementById('tools').hidden"
        )
        assert "point mass" in browser.text("refused")
        x, mean, samples = browser.state("x", "reconstruction", "samples")
        np.testing.assert_array_equal(x, splits.array("test")[1])
        np.testing.assert_allclose(mean, model.predict(x[None], verbose=0)[0], atol=1e-4)
        np.testing.assert_allclose(samples, model.sample(12, seed=0).ravel(), atol=1e-4)
    finally:
        browser.close()


def test_explore_serves_with_the_right_types_until_interrupted(page):
    command = [sys.executable, "-m", "tfvae", "explore", str(page), "--no-browser"]
    # Whoever starts the tests in the background has their children ignore Ctrl-C.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding)
    try:
        address = re.match(r"http://127\.0\.0\.1:\d+/", served.stdout.readline()).group()
        core = "runtime/@litertjs/core/wasm/litert_wasm_compat_internal.wasm"
        types = {"": "text/html", "main.js": "text/javascript", core: "application/wasm", "page.css": "text/css"}
        for name, kind in types.items():
            with urllib.request.urlopen(address + name, timeout=30) as answer:  # noqa: S310
                assert answer.headers["Content-Type"].startswith(kind)
        served.send_signal(signal.SIGINT)
        _, said = served.communicate(timeout=30)
    finally:
        served.kill()
    assert served.returncode == 0 and "Traceback" not in said


def test_a_taken_port_is_refused(page):
    with Server(page) as server, pytest.raises(OSError, match="in use"):
        serve(page, server.server_port)


def test_the_page_is_whole_and_replaced_whole(run, page, brought, tmp_path):
    assert is_page(page) and not is_page(run[0])
    assert "Apache License" in (page / "runtime" / "LICENSE.txt").read_text()
    assert {str(p.relative_to(page / "runtime")) for p in (page / "runtime").rglob("*.*s*") if p.is_file()} >= set(
        brought
    )
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_text("")
    with pytest.raises(ExportError, match="holds other files"):
        web_page(run[1], run[2], other)
    with pytest.raises(ExportError, match="lacks @litertjs/core"):
        web_page(run[1], run[2], page, runtime_from=tmp_path)
    assert is_page(page)


def test_the_policy_names_the_one_inline_script():
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    (inline,) = re.findall(r"<script(?![^>]*src)[^>]*>(.*?)</script>", text, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'" in text
    assert "unsafe-inline" not in text and "http" not in re.sub(r"http-equiv", "", text).replace("http.server", "")
    for path in PAGE.glob("*.*"):
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text(encoding="utf-8")), path


def test_the_runtime_is_the_pinned_one(brought, tmp_path, monkeypatch):
    for name, content in brought.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert runtime.files(tmp_path) == brought
    (tmp_path / "@litertjs/core/dist/index.js").write_bytes(b"evil")
    with pytest.raises(ExportError, match="another version or was changed"):
        runtime.files(tmp_path)
    monkeypatch.setenv("npm_config_registry", "https://mirror.test/npm/")
    asked = []

    def answer(address, timeout):
        asked.append(address)
        return io.BytesIO(b"another archive")

    with pytest.raises(ExportError, match="pinned SHA-512"):
        runtime._download(runtime.PACKAGES[0], answer)
    assert asked == [f"https://mirror.test/npm/@litertjs/core/-/core-{runtime.VERSION}.tgz"]
    monkeypatch.setenv("npm_config_registry", "file:///etc")
    with pytest.raises(ExportError, match="begin with https://"):
        runtime._download(runtime.PACKAGES[0], answer)


def test_the_map_is_a_plane_of_the_latent_space():
    z = np.random.default_rng(0).normal(size=[50, 5]) * [3, 1, 2, 0.1, 0.1]
    plane = latent_map(z)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-6)
    np.testing.assert_allclose((z - plane.origin) @ plane.axes.T, plane.points, atol=1e-6)
    assert (np.abs(plane.points - plane.middle) < plane.half).all()
    two = latent_map(z[:, :2])
    np.testing.assert_array_equal(two.points @ two.axes + two.origin, z[:, :2])
    assert latent_map(z[:, :1]).titles == ("z 1",)


if __name__ == "__main__":  # draws the pictures of the README, of a preset
    with tempfile.TemporaryDirectory() as scratch:
        made, root = Path(scratch, "page"), Path(__file__).parent.parent
        done = CliRunner().invoke(app, ["export", "--web", str(made), str(root / "savedmodels" / "vae_static_mnist")])
        print(done.output)
        shown = _browser(made, Path(scratch, "profile"))
        try:
            _pictures(shown, root / "tutorials" / "pictures")
        finally:
            shown.close()
