# SPDX-License-Identifier: GPL-2.0
"""A headless Chromium that a test drives, by the WebDriver protocol.

Debian's chromium and chromium-driver, and no more: the protocol is JSON over HTTP.
"""

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"left": "\ue012", "right": "\ue014", "escape": "\ue00c"}
PATIENCE = 60           # seconds; nothing here takes that long


class Browser:
    def __init__(self, width=1400, height=1000):
        self.driver = subprocess.Popen([shutil.which("chromedriver"), "--port=0"],
                                       stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.await_port()}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                     "--disable-dev-shm-usage", f"--window-size={width},{height}",
                     # Nothing but this machine's files can be reached.
                     "--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments},
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def await_port(self):
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                return int(line.rstrip(".\n").rpartition(" ")[2])
        raise RuntimeError("chromedriver did not start")

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def open(self, path):
        self.call("POST", f"{self.session}/url", {"url": f"file://{path}"})

    def run(self, script, *arguments):
        """What a piece of JavaScript returns."""
        return self.call("POST", f"{self.session}/execute/sync",
                         {"script": script, "args": list(arguments)})

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def element(self, selector):
        found = self.call("POST", f"{self.session}/element",
                          {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def click(self, selector):
        self.call("POST", f"{self.session}/element/{self.element(selector)}/click", {})

    def press(self, key):
        value = KEYS.get(key, key)
        self.call("POST", f"{self.session}/actions", {"actions": [
            {"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": value},
                                                      {"type": "keyUp", "value": value}]}]})

    def point(self, selector):
        """The pointer goes to the middle of an element."""
        origin = {ELEMENT: self.element(selector)}
        self.call("POST", f"{self.session}/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
             "actions": [{"type": "pointerMove", "origin": origin, "x": 0, "y": 0,
                          "duration": 0}]}]})

    def wheel(self, selector, by):
        origin = {ELEMENT: self.element(selector)}
        self.call("POST", f"{self.session}/actions", {"actions": [
            {"type": "wheel", "id": "wheel",
             "actions": [{"type": "scroll", "origin": origin, "x": 0, "y": 0,
                          "deltaX": 0, "deltaY": by, "duration": 0}]}]})

    def drag(self, selector, by):
        origin = {ELEMENT: self.element(selector)}
        self.call("POST", f"{self.session}/actions", {"actions": [
            {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
             "actions": [{"type": "pointerMove", "origin": origin, "x": 0, "y": 0, "duration": 0},
                         {"type": "pointerDown", "button": 0},
                         {"type": "pointerMove", "origin": "pointer", "x": by, "y": 0,
                          "duration": 50},
                         {"type": "pointerUp", "button": 0}]}]})

    def dark(self, on):
        self.call("POST", f"{self.session}/goog/cdp/execute", {
            "cmd": "Emulation.setEmulatedMedia", "params": {"features": [
                {"name": "prefers-color-scheme", "value": "dark" if on else "light"}]}})

    def scripts(self, on):
        self.call("POST", f"{self.session}/goog/cdp/execute", {
            "cmd": "Emulation.setScriptExecutionDisabled", "params": {"value": not on}})

    def size(self, width, height):
        self.call("POST", f"{self.session}/window/rect", {"width": width, "height": height})

    def screenshot(self, path):
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(self.call("GET", f"{self.session}/screenshot")))

    def source(self):
        return self.call("GET", f"{self.session}/source")

    def log(self, kind):
        return self.call("POST", f"{self.session}/se/log", {"type": kind})

    def requests(self):
        """All addresses that were asked for since the last time."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def until(self, what, script, *arguments):
        """Until a piece of JavaScript returns something true."""
        end = time.monotonic() + PATIENCE
        while not self.run(script, *arguments):
            if time.monotonic() > end:
                raise AssertionError(f"it did not come: {what}")
            time.sleep(0.05)

    def close(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.driver.stdout.close()
