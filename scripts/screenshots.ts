// The pictures of README and manual: the page of the example before, its plan, after, rebalancing over time, and on a phone at night. Windows, scale and seed are
// fixed, so that the same command gives pictures of the same size with the same names on them; clocks and ages differ.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { startExample } from '#test/real/browser/ballast-process.ts'
import { openBrowser } from '#test/real/browser/browser.ts'
import { readPng, smallPng } from './png.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'docs', 'pictures')
/** Bytes of one picture: a README is read on slow lines, too. */
const largest = 150 * 1024
const soonMs = 30_000
const runMs = 240_000

/** Sentences of the server name its own zone; the browser shall have the same. */
const { timeZone: timezoneId } = Intl.DateTimeFormat().resolvedOptions()
const still = { deviceScaleFactor: 1, reducedMotion: 'reduce', locale: 'en-GB', timezoneId } as const
const desk: BrowserContextOptions = { ...still, viewport: { width: 1280, height: 860 }, colorScheme: 'light' }
const phone: BrowserContextOptions = {
  ...still,
  viewport: { width: 400, height: 800 },
  colorScheme: 'dark',
  hasTouch: true,
  isMobile: true,
}

/** Takes all pictures into `docs/pictures`. False where one is too large. @throws PartUnavailable without Chromium */
export async function takeScreenshots(): Promise<boolean> {
  mkdirSync(folder, { recursive: true })
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using wide = await own.open(desk)
  await using narrow = await own.open(phone)
  const sizes: number[] = []
  const take = async (page: Page, name: string) => {
    await isStill(page)
    const bytes = smallPng(readPng(await page.screenshot({ animations: 'disabled', caret: 'hide', scale: 'css' })))
    const path = join(folder, `${name}.png`)
    writeFileSync(path, bytes)
    const { width, height } = page.viewportSize() ?? { width: 0, height: 0 }
    console.log(`${relative(root, path)}  ${width} × ${height}, ${Math.ceil(bytes.byteLength / 1024)} KB`)
    sizes.push(bytes.byteLength)
  }

  await wide.page.goto(ballast.url)
  await says(wide.page, 'It is waiting for you; nothing has been moved.')
  await take(wide.page, 'overview-before')
  await narrow.page.goto(ballast.url)
  await says(narrow.page, 'It is waiting for you; nothing has been moved.')
  await take(narrow.page, 'overview-phone')

  await wide.page.getByRole('link', { name: 'See the plan' }).first().click()
  await wide.page.getByRole('heading', { level: 1, name: /^Plan talos-/ }).waitFor({ timeout: soonMs })
  await says(wide.page, '15 of 15 proofs checked')
  await take(wide.page, 'plan')

  await press(wide.page, '60×')
  await wide.page.locator('main').getByRole('button', { name: 'Run all' }).click()
  await wide.page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click()
  await says(wide.page, 'All 2 goals are met.', runMs)
  await press(wide.page, '1×')
  await take(wide.page, 'overview-after')

  await wide.page.getByRole('navigation').getByRole('link', { name: 'Rebalancing' }).click()
  await says(wide.page, '15 landed where they were meant')
  await take(wide.page, 'rebalancing')
  await narrow.page.goto(`${ballast.url}rebalancing`)
  await says(narrow.page, '15 landed where they were meant')
  await take(narrow.page, 'rebalancing-phone')
  const tooLarge = sizes.filter(size => size > largest)
  if (tooLarge.length > 0) console.error(`${tooLarge.length} pictures have more than ${largest / 1024} KB`)
  return tooLarge.length === 0
}

async function says(page: Page, text: string, ms = soonMs): Promise<void> {
  await page.locator('main').getByText(text).first().waitFor({ timeout: ms })
}

/** A button of the twin's bar, until it is seen to be what holds. */
async function press(page: Page, name: string): Promise<void> {
  await page.getByRole('region', { name: 'Twin' }).getByRole('button', { name, exact: true }).click()
  await page.getByRole('button', { name, exact: true, pressed: true }).waitFor({ timeout: soonMs })
}

/** The stream is open, nothing is being loaded, and the pointer is where it shows nothing. */
async function isStill(page: Page): Promise<void> {
  await page.mouse.move(0, 0)
  await page.getByText('live', { exact: true }).or(page.getByText('● live')).first().waitFor({ timeout: soonMs })
  await page.locator('main [aria-busy="true"]').first().waitFor({ state: 'detached', timeout: soonMs })
}
