"""Reports as pages in Chromium: shown whole, sorted, safe, and silent."""

import json
import shutil

import numpy as np
import pages
import pytest
from pages import HOSTILE

from sknc.report._rendering import report_page

pytestmark = pytest.mark.browser
webdriver = pytest.importorskip("selenium.webdriver", reason="needs extra 'browser'")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

WIDE, NARROW = 1440, 390
OPTIONS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    "--hide-scrollbars",
]


def started(**preferences):
    """Start Chromium, or skip the test where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in OPTIONS:
        options.add_argument(option)
    options.add_experimental_option("prefs", preferences)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    return webdriver.Chrome(options=options, service=Service(driver))


@pytest.fixture(scope="module")
def browser():
    driver = started()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def browser_without_scripts():
    driver = started(**{"profile.managed_default_content_settings.javascript": 2})
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Return the address of a page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "hostile": pages.hostile_report(),
        "crowded": pages.crowded_report(),
        "regression": pages.regression_report(),
        "layers": pages.layers_report(),
    }
    for name, report in made.items():
        report.to_html(folder / f"{name}.html", title=f"Page {HOSTILE}")
    names = np.array([f"n{number:08d} a name of a class" for number in range(1000)])
    many = pages.report_of(1000, labels=names, n_jackknife=2)._content
    both = report_page({"Training samples": many, "Held-out samples": many})
    (folder / "many.html").write_text(both, encoding="utf-8")
    return {path.stem: path.as_uri() for path in folder.iterdir()}


KINDS = ["hostile", "crowded", "regression", "layers", "many"]


def opened(driver, address, width=WIDE, color="light"):
    """Open a page at a width, on a light or a dark screen."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": color}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.get(address)
    return driver


def requests(driver):
    """Return the addresses that were asked for since the last call."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


@pytest.mark.parametrize("color", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_is_silent_and_fits(browser, addresses, kind, color):
    for width in (WIDE, NARROW):
        requests(browser)
        opened(browser, addresses[kind], width, color)
        assert browser.get_log("browser") == []
        asked = [address for address in requests(browser) if address != "data:,"]
        assert asked == [addresses[kind]]
        assert browser.execute_script("return document.body.scrollWidth") <= width
        assert browser.execute_script("return innerWidth") == width
        assert cut_off(browser) == []


def cut_off(driver):
    """Return what reaches beyond the page, but for tables that scroll in it."""
    return driver.execute_script(
        """
        const width = document.documentElement.clientWidth;
        return [...document.querySelectorAll("main *")]
          .filter((part) => !part.closest("table.sortable"))
          .filter((part) => {
            const box = part.getBoundingClientRect();
            return box.width && (box.left < -0.5 || box.right > width + 0.5);
          })
          .map((part) => part.outerHTML.slice(0, 80));
        """
    )


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("kind", KINDS)
def test_words_in_figures_do_not_overlap(browser, addresses, kind, width):
    overlapping = opened(browser, addresses[kind], width).execute_script(
        """
        const found = [];
        for (const figure of document.querySelectorAll("figure svg[role=img]")) {
          const frame = figure.closest("figure").getBoundingClientRect();
          const boxes = [...figure.querySelectorAll("text")]
            .map((text) => [text.textContent, text.getBoundingClientRect()]);
          for (const [i, [text, a]] of boxes.entries()) {
            if (a.left < frame.left || a.right > frame.right) found.push(text);
            for (const [other, b] of boxes.slice(i + 1)) {
              const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
              const along = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
              if (across > 0 && along > 3) found.push(`${text} and ${other}`);
            }
          }
        }
        return found;
        """
    )
    assert overlapping == []


def test_colors_follow_the_screen(browser, addresses):
    script = "return getComputedStyle(document.body).backgroundColor"
    found = {
        color: opened(browser, addresses["hostile"], color=color).execute_script(script)
        for color in ("light", "dark")
    }
    assert found["light"] == "rgb(255, 255, 255)"
    assert found["dark"] != found["light"]


def test_hostile_labels_are_text(browser, addresses):
    opened(browser, addresses["hostile"])
    assert browser.find_element(By.TAG_NAME, "h1").text == f"Page {HOSTILE}"
    names = browser.find_elements(By.CSS_SELECTOR, ".sortable tbody th")
    assert sorted(name.text for name in names) == sorted(pages.LABELS)
    assert browser.find_elements(By.TAG_NAME, "img") == []
    scripts = "return document.scripts.length"
    assert browser.execute_script(scripts) == 1


def column(driver, number):
    cells = driver.find_elements(
        By.CSS_SELECTOR, f"#classes-0-table tbody tr > :nth-child({number})"
    )
    return [cell.text for cell in cells]


def heading(driver, text):
    (found,) = (
        th
        for th in driver.find_elements(By.CSS_SELECTOR, "#classes-0-table thead th")
        if th.text.startswith(text)
    )
    return found


def test_sorting_by_click(browser, addresses):
    opened(browser, addresses["crowded"])
    before = column(browser, 3)
    variance = heading(browser, "variance")
    assert variance.get_attribute("aria-sort") is None
    variance.find_element(By.TAG_NAME, "button").click()
    assert variance.get_attribute("aria-sort") == "ascending"
    rising = column(browser, 3)
    assert rising == sorted(before, key=float) != before
    variance.find_element(By.TAG_NAME, "button").click()
    assert variance.get_attribute("aria-sort") == "descending"
    assert column(browser, 3) == rising[::-1]
    heading(browser, "class").find_element(By.TAG_NAME, "button").click()
    assert variance.get_attribute("aria-sort") is None
    assert column(browser, 1) == [str(number) for number in range(9)]


def test_sorting_by_keyboard(browser, addresses):
    opened(browser, addresses["hostile"])
    region = browser.find_element(By.CSS_SELECTOR, "#classes .scroll")
    browser.execute_script("arguments[0].focus()", region)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert heading(browser, "class").get_attribute("aria-sort") == "ascending"
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert heading(browser, "class").get_attribute("aria-sort") == "descending"
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "samples"


def test_sorting_leaves_missing_values_last(browser, tmp_path):
    analyzer, _ = pages.fitted(4)
    X, y = pages.samples(4)
    analyzer.score(X[y != 1], y[y != 1]).to_html(tmp_path / "x.html")
    opened(browser, (tmp_path / "x.html").as_uri())
    button = heading(browser, "recall of head").find_element(By.TAG_NAME, "button")
    for _ in range(2):
        button.click()
        assert column(browser, 1)[-1] == "1"


@pytest.mark.parametrize("kind", KINDS)
def test_is_complete_without_scripts(browser, browser_without_scripts, addresses, kind):
    text = "return document.querySelector('main').innerText"  # what is shown
    texts = [
        opened(driver, addresses[kind]).execute_script(text)
        for driver in (browser, browser_without_scripts)
    ]
    hint = "Select a heading to sort."
    assert hint in texts[0]
    assert hint not in texts[1]
    assert texts[0].replace(f" {hint}", "") == texts[1]
    assert browser_without_scripts.find_elements(By.TAG_NAME, "button") == []


def test_printed_pages_are_light(browser, addresses):
    opened(browser, addresses["hostile"], color="dark")
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    media = {"media": "print", "features": [feature]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    color = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(color) == "rgb(255, 255, 255)"
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 10_000
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
