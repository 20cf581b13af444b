// Each page as it is looked at: wide and narrow, light and dark, without JavaScript, by keyboard alone, on paper.
import { deepStrictEqual, ok } from 'node:assert'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { startExample } from './ballast-process.ts'
import { accessibilityFindings, desk, openBrowser, phone } from './browser.ts'

const soonMs = 120_000

/** Addresses of all pages; what follows a name is of the example. */
async function addresses(page: Page, url: string): Promise<readonly string[]> {
  const plan: string = await page.evaluate("fetch('/api/v1/plans').then(answer => answer.text())")
  const [, name = ''] = /"name":\s*"(talos-[0-9a-f]+)"/.exec(plan) ?? []
  ok(name !== '', `no plan in ${plan.slice(0, 200)} of ${url}`)
  return [
    '',
    'plan',
    `plan/${name}`,
    `plan/${name}/replay`,
    'permits',
    'workloads',
    'workload/media/Deployment/sonarr',
    'workload/registry/StatefulSet/nexus',
    'node/talos00',
    'images',
    'use',
    'rebalancing',
    'twin',
    'settings',
    'help',
  ]
}

/** The page is there and alive: nothing on it is being loaded. */
async function isWhole(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor({ timeout: soonMs })
  await page
    .getByText('● live')
    .or(page.getByText('live', { exact: true }))
    .first()
    .waitFor({ timeout: soonMs })
  await page.locator('main [aria-busy="true"]').first().waitFor({ state: 'detached', timeout: soonMs })
}

const looks: readonly { readonly name: string; readonly options: BrowserContextOptions }[] = [
  { name: 'wide, light', options: { ...desk, colorScheme: 'light' } },
  { name: 'wide, dark, reduced motion', options: { ...desk, colorScheme: 'dark', reducedMotion: 'reduce' } },
  { name: 'wide, forced colours', options: { ...desk, forcedColors: 'active' } },
  { name: 'phone, light', options: { ...phone, colorScheme: 'light' } },
  { name: 'phone, dark', options: { ...phone, colorScheme: 'dark' } },
]

/** Every page in every look: axe finds nothing, nothing is wider than the screen, the browser complains of nothing. */
export async function judgeLooks(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  const findings: string[] = []
  let seen = 0
  for (const { name, options } of looks) {
    await using sight = await own.open(options)
    const { page, complaints } = sight
    await page.goto(ballast.url)
    for (const path of await addresses(page, ballast.url)) {
      await page.goto(`${ballast.url}${path}`)
      await isWhole(page)
      seen++
      const where = `/${path} (${name})`
      findings.push(...(await accessibilityFindings(page)).map(one => `${where}: ${one}`))
      const width: number = await page.evaluate('document.documentElement.scrollWidth')
      const screen = options.viewport?.width ?? 0
      if (width > screen) findings.push(`${where}: ${width} px wide on a screen of ${screen}`)
      const headings = await page.locator('h1').count()
      if (headings !== 1) findings.push(`${where}: ${headings} h1`)
      const [title] = (await page.title()).split(' · ')
      const heading = (await page.locator('h1').innerText()).replaceAll(/\s+/g, ' ').trim()
      if (title !== heading) findings.push(`${where}: title ${title}, heading ${heading}`)
    }
    findings.push(...complaints.map(one => `${name}: ${one}`))
  }
  deepStrictEqual(findings, [])
  return `${seen} pages looked at, axe finds nothing, none wider than its screen`
}

/** What a browser without JavaScript shows (D30): verdict, goals, nodes. */
export async function judgeWithoutScript(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open({ ...desk, javaScriptEnabled: false })
  const { page } = sight
  await page.goto(ballast.url)
  const text = (await page.locator('main').innerText()).replaceAll(/\s+/g, ' ')
  const wanted = [
    'talos00 has 93% of its CPU requested; the goal is at most 70%. talos03 has 4%; the goal is at least 30%.',
    'cp-light',
    'use-talos03',
    '93%',
    '57%',
    '82%',
    '73%',
    '97%',
  ]
  for (const one of wanted) ok(text.includes(one), `without JavaScript there is no ${JSON.stringify(one)} in ${text}`)
  return `${wanted.length} texts of the overview without JavaScript`
}

interface Focus {
  readonly name: string
  readonly visible: boolean
}

/** What has the focus, and whether that can be seen: an outline, inside the window, not behind anything. */
const focusNow = `(() => {
  const at = document.activeElement
  if (at === null || at === document.body) return null
  const style = getComputedStyle(at)
  const box = at.getBoundingClientRect()
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
  const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
  return { name: at.tagName + ' ' + (at.getAttribute('aria-label') ?? at.textContent ?? '').trim().slice(0, 40), visible: outlined && inside }
})()`

/** The keyboard alone: through each page by Tab with a focus that is seen, and by the keys of the help page. */
export async function judgeKeyboard(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page } = sight
  await page.goto(ballast.url)
  const findings: string[] = []
  let stops = 0
  for (const path of await addresses(page, ballast.url)) {
    await page.goto(`${ballast.url}${path}`)
    await isWhole(page)
    const passed = new Set<string>()
    for (let turn = 0; turn < 60; turn++) {
      await page.keyboard.press('Tab')
      const focus: Focus | null = await page.evaluate(focusNow)
      if (focus === null) break
      stops++
      passed.add(focus.name)
      if (!focus.visible) findings.push(`/${path}: focus on ${focus.name} cannot be seen`)
      if (turn === 0 && !/skip/i.test(focus.name)) findings.push(`/${path}: the first stop is ${focus.name}, not a skip link`)
    }
    if (passed.size < 5) findings.push(`/${path}: only ${passed.size} stops`)
  }
  await page.goto(ballast.url)
  await isWhole(page)
  for (const [keys, heading] of [
    ['gp', /^Plan/],
    ['gd', 'Permits'],
    ['gr', 'Rebalancing'],
    ['gw', 'Workloads'],
    ['gt', 'Twin'],
    ['?', 'Help'],
    ['go', 'Overview'],
  ] as const) {
    for (const key of keys) await page.keyboard.press(key)
    await page.getByRole('heading', { level: 1, name: heading }).waitFor({ state: 'attached', timeout: soonMs })
  }
  await page.keyboard.press('/')
  await page.keyboard.type('sonarr')
  await page
    .getByRole('option')
    .or(page.getByRole('link', { name: /sonarr/ }))
    .first()
    .waitFor({ timeout: soonMs })
  await page.keyboard.press('Escape')
  deepStrictEqual(findings, [])
  return `${stops} stops by Tab, all seen; keys lead to seven pages and the search`
}

/** On paper: each page prints. */
export async function judgePrint(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page } = sight
  await page.goto(ballast.url)
  const sizes: number[] = []
  for (const path of await addresses(page, ballast.url)) {
    await page.goto(`${ballast.url}${path}`)
    await isWhole(page)
    await page.emulateMedia({ media: 'print' })
    const pdf = await page.pdf({ format: 'A4' })
    ok(pdf.byteLength > 5_000, `/${path} prints ${pdf.byteLength} bytes`)
    sizes.push(pdf.byteLength)
    await page.emulateMedia({ media: 'screen' })
  }
  return `${sizes.length} pages printed`
}
