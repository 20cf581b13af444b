// A page that a capability brings, in a browser: the worked example's, wide and narrow, with a script and without.
import { deepStrictEqual } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBundle } from '#dashboard/build/bundle.ts'
import { pagesOf } from '#dashboard/capability-page.ts'
import { silentLog } from '#kube/log.ts'
import { startTestDashboard } from '../../../src/dashboard/http/dashboard-for-tests.ts'
import { homelab, pictureOf } from '../../../src/dashboard/views/testdata/homelab.ts'
import { refresh } from '../../sample-capability/capability.ts'
import { refreshAnnotation } from '../../sample-capability/decision.ts'
import { accessibilityFindings, desk, openBrowser, phone } from './browser.ts'

const soonMs = 120_000
const marked = homelab().map(object =>
  object.kind === 'Deployment'
    ? { ...object, metadata: { ...object.metadata, annotations: { [refreshAnnotation]: '1m' } } }
    : object,
)

/** It is in the menu, drawn live and without a script, no wider than the screen; what is not there is said. */
export async function judgeCapabilityPage(): Promise<string> {
  await using opening = new AsyncDisposableStack()
  const cacheDirectory = mkdtempSync(join(tmpdir(), 'ballast-page-'))
  opening.defer(() => rmSync(cacheDirectory, { recursive: true, force: true }))
  const bundle = opening.use(openBundle({ root: join(import.meta.dirname, '..', '..', '..'), cacheDirectory, log: silentLog }))
  await bundle.ready
  const picture = { ...pictureOf(marked), capabilities: ['refresh'] }
  const dashboard = opening.use(await startTestDashboard({ picture, options: { pages: await pagesOf([refresh]), bundle } }))
  const own = opening.use(await openBrowser())
  const findings: string[] = []
  for (const [name, options] of Object.entries({ desk, phone, dark: { ...desk, colorScheme: 'dark' as const } })) {
    await using sight = await own.open(options)
    const { page, complaints } = sight
    await page.goto(dashboard.url)
    const link = page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Refresh' })
    await link.click()
    await page.getByRole('heading', { level: 1, name: 'Refresh' }).waitFor({ timeout: soonMs })
    await page.getByText(/Deployments are due for new pods/).waitFor({ timeout: soonMs })
    deepStrictEqual(await link.getAttribute('aria-current'), 'page')
    findings.push(...(await accessibilityFindings(page)).map(one => `${name}: ${one}`))
    const width: number = await page.evaluate('document.documentElement.scrollWidth')
    if (width > (options.viewport?.width ?? 0)) findings.push(`${name}: ${width} px wide`)
    await page.screenshot({ path: join(process.env['BALLAST_SHOTS'] ?? cacheDirectory, `page-${name}.png`) })
    await page.locator('main tbody tr').first().getByRole('link').click()
    await page.waitForURL(/\/workload\//)
    findings.push(...complaints.map(one => `${name}: ${one}`))
    await page.goto(`${dashboard.url}nowhere`)
    await page.getByRole('heading', { level: 1, name: 'No such page' }).waitFor({ timeout: soonMs })
  }
  await using bare = await own.open({ ...desk, javaScriptEnabled: false })
  await bare.page.goto(`${dashboard.url}refresh`)
  const rows = await bare.page.locator('main tbody tr').count()
  deepStrictEqual(findings, [])
  return `in the menu, live, on a phone, without JavaScript (${rows} rows); axe finds nothing`
}
