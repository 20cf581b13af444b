// A browser for one check: Chromium, and pages that write down everything that should not happen on them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { chromiumPath } from './chromium.ts'

const startMs = 60_000

export interface Sight extends AsyncDisposable {
  readonly context: BrowserContext
  readonly page: Page
  /** Console messages, page errors, refusals of the Content-Security-Policy, requests to elsewhere, answers of 500 and more. */
  readonly complaints: string[]
}

export interface OwnBrowser extends AsyncDisposable {
  readonly browser: Browser
  /** A page of its own profile. */
  open(options?: BrowserContextOptions): Promise<Sight>
}

export const desk: BrowserContextOptions = { viewport: { width: 1280, height: 800 } }
export const phone: BrowserContextOptions = {
  viewport: { width: 400, height: 800 },
  hasTouch: true,
  isMobile: true,
  deviceScaleFactor: 2,
}

/** Starts Chromium. It looks for nothing on the network. @throws PartUnavailable */
export async function openBrowser(): Promise<OwnBrowser> {
  const executablePath = await chromiumPath()
  await using opening = new AsyncDisposableStack()
  const profile = mkdtempSync(join(tmpdir(), 'ballast-browser-'))
  opening.defer(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  const browser = await chromium.launch({
    executablePath,
    timeout: startMs,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--disk-cache-dir=${profile}`,
    ],
  })
  opening.defer(() => browser.close())
  const all = opening.move()
  return {
    browser,
    open: options => openSight(browser, options ?? desk),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

async function openSight(browser: Browser, options: BrowserContextOptions): Promise<Sight> {
  const context = await browser.newContext(options)
  const complaints: string[] = []
  const page = await context.newPage()
  // Told by the page itself: a refusal is not always on the console.
  await page.exposeFunction('tellRefusal', (text: string) => void complaints.push(`policy: ${text}`))
  await page.addInitScript(
    "document.addEventListener('securitypolicyviolation', event => window.tellRefusal(event.violatedDirective + ' ' + event.blockedURI))",
  )
  page.on('console', message => complaints.push(`console ${message.type()}: ${message.text()} (${message.location().url})`))
  page.on('pageerror', error => complaints.push(`page error: ${error.message}`))
  page.on('response', response => {
    if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`)
  })
  page.on('request', request => {
    const { protocol, hostname } = new URL(request.url())
    if (protocol.startsWith('http') && !['127.0.0.1', 'localhost'].includes(hostname))
      complaints.push(`asked elsewhere: ${request.url()}`)
  })
  return { context, page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

interface Violation {
  readonly id: string
  readonly impact: string
  readonly help: string
  readonly nodes: readonly string[]
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds on the page as it is, of any impact, a line each. Run as an expression: the page's own policy refuses a script tag. */
export async function accessibilityFindings(page: Page): Promise<readonly string[]> {
  const violations: readonly Violation[] = await page.evaluate(`(() => {
    if (window.axe === undefined) { ${axeSource} }
    return window.axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.map(({ id, impact, help, nodes }) => ({ id, impact: String(impact), help, nodes: nodes.map(({ html }) => html.slice(0, 160)) })))
  })()`)
  return violations.map(
    ({ id, impact, help, nodes }) => `${id} (${impact}): ${help}: ${nodes.slice(0, 3).join(' | ')} (${nodes.length})`,
  )
}
