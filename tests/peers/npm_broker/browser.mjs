// A page in a headless Chromium until standard input ends: node browser.mjs URL. Prints what the page logs.
import { chromium } from "playwright-core";

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
page.on("console", (message) => console.log(message.text()));
page.on("pageerror", (error) => console.log(String(error)));
await page.goto(process.argv[2]);
console.log("open");
process.stdin.resume();
process.stdin.on("end", async () => {
    console.log(await page.locator("#tasks").textContent());
    await browser.close();
    process.exit(0);
});
