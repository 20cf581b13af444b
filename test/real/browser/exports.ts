// What the page gives away as files: tables as CSV, drawings as SVG and PNG.
import { deepStrictEqual, ok } from 'node:assert'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { builtIn } from '#kube/objects/resource.ts'
import { readPng } from '../../../scripts/png.ts'
import { startExample } from './ballast-process.ts'
import { type OwnBrowser, openBrowser } from './browser.ts'
import { ofBallast, openTwinApi } from './twin-api.ts'

const soonMs = 120_000
const formula = "=cmd|' /C calc'!A0"

/** Permits and moves open in a spreadsheet that runs nothing; the drawing of the plan is whole without our page. */
export async function judgeExports(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using twin = await openTwinApi(`${ballast.directory}/kubeconfig`)
  const { metadata } = await twin.get(builtIn.deployments, 'sonarr', 'media')
  await twin.create(
    { ...ofBallast, resource: 'disruptionpermits' },
    {
      apiVersion: 'ballast.dev/v1alpha1',
      kind: 'DisruptionPermit',
      metadata: { name: 'hostile', namespace: 'media' },
      spec: {
        requester: 'outsider',
        class: 'correctness',
        verb: 'restart',
        purpose: 'reload',
        targets: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'media', name: 'sonarr', uid: metadata.uid }],
        reasons: [{ code: 'secret', message: formula }],
        idempotencyKey: 'hostile',
        deadline: new Date(Date.now() + 3_600_000).toISOString(),
        nodes: [],
        joined: [],
        siblings: [],
      },
    },
  )
  await using own = await openBrowser()
  await using sight = await own.open({ viewport: { width: 1280, height: 800 }, acceptDownloads: true })
  const { page, complaints } = sight
  await page.goto(`${ballast.url}permits`)
  await page.locator('main').getByText(formula).first().waitFor({ timeout: soonMs })
  const [permitHead = [], ...permits] = table(await saved(page, () => page.locator('main').getByText('CSV').first().click()))
  const because = permitHead.indexOf('because')
  ok(because > 0 && permits.length > 5, permitHead.join(' | '))
  const ofOutsider = permits.filter(row => row[permitHead.indexOf('who asks')] === 'outsider')
  deepStrictEqual(
    ofOutsider.map(row => row[because]),
    [`'${formula}`],
    'the one cell that would be a formula',
  )
  const refused = permits.filter(row => row[permitHead.indexOf('name')] === 'sonarr' && row[because]?.startsWith('KedaManaged'))
  ok(refused.length > 0, 'a refusal of sonarr is among the permits')
  isHarmless(permits)

  await page.goto(ballast.url)
  await page.locator('main').getByRole('link', { name: 'See the plan' }).first().click()
  await page.getByRole('heading', { level: 1, name: /^Plan talos-/ }).waitFor({ timeout: soonMs })
  const toCsv = page.locator('main a[href*="export/moves.csv"]')
  const [moveHead = [], ...moves] = table(await saved(page, () => toCsv.click()))
  deepStrictEqual([moves.length, moveHead.slice(0, 3)], [15, ['move', 'wave', 'namespace']])
  deepStrictEqual(new Set(moves.map(row => row[moveHead.indexOf('to')])), new Set(['talos03']))
  const cpu = moves.map(row => Number(row[moveHead.indexOf('cpu (Kubernetes quantity)')]?.replace('m', '')))
  deepStrictEqual(
    cpu.reduce((sum, one) => sum + one, 0),
    4_300,
  )
  isHarmless(moves)
  const drawn = await judgeDrawing(page, own)
  deepStrictEqual(complaints, [])
  return `${permits.length} permits and ${moves.length} moves as CSV, one cell kept from being a formula; the drawing as SVG and PNG of ${drawn}`
}

/** The ribbons as SVG and PNG. Yields the size. */
async function judgeDrawing(page: Page, own: OwnBrowser): Promise<string> {
  const button = (name: string) => page.locator('main').getByRole('button', { name, exact: true }).first()
  const svg = (await saved(page, () => button('SVG').click())).toString('utf8')
  for (const needed of ['xmlns="http://www.w3.org/2000/svg"', '14 pods', 'talos00', 'fill='])
    ok(svg.includes(needed), `the SVG has no ${needed}`)
  const foreign = svg.match(/class=|style=|var\(|<script|<image|@import|href="(?!#)|url\((?!#)|https?:\/\/(?!www\.w3\.org\/)/g)
  deepStrictEqual(foreign, null, 'nothing in the SVG needs anything else')
  // Not on our page: its policy lets nobody parse markup.
  await using elsewhere = await own.open()
  const parsed: { readonly root: string; readonly texts: readonly string[]; readonly width: string; readonly height: string } =
    await elsewhere.page.evaluate(
      `(() => {
        const { documentElement: root } = new DOMParser().parseFromString(${JSON.stringify(svg)}, 'image/svg+xml')
        return {
          root: root.localName,
          texts: [...root.querySelectorAll('text')].map(text => text.textContent),
          width: root.getAttribute('width'),
          height: root.getAttribute('height'),
        }
      })()`,
    )
  deepStrictEqual(parsed.root, 'svg', 'it parses')
  ok(parsed.texts.includes('14 pods') && parsed.texts.includes('1 pod'), parsed.texts.join(' | '))
  const { width, height, pixels } = readPng(await saved(page, () => button('PNG').click()))
  deepStrictEqual([width, height], [2 * Number(parsed.width), 2 * Number(parsed.height)], 'two pixels for one')
  ok(new Set(pixels).size > 10, 'the PNG shows something')
  return `${width} × ${height}`
}

/** What a click gives to be saved. */
async function saved(page: Page, click: () => Promise<void>): Promise<Buffer> {
  const waiting = page.waitForEvent('download', { timeout: soonMs })
  await click()
  const download = await waiting
  return await readFile(await download.path())
}

/** Rows of a CSV file (RFC 4180) that spreadsheets take for UTF-8. */
function table(bytes: Buffer): readonly (readonly string[])[] {
  deepStrictEqual([...bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf], 'the mark of UTF-8')
  const text = bytes.subarray(3).toString('utf8')
  ok(text.endsWith('\r\n') && !/[^\r]\n/.test(text), 'lines end with CR LF')
  const rows = text.slice(0, -2).split('\r\n')
  return rows.map(row =>
    [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
      ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
    ),
  )
}

function isHarmless(rows: readonly (readonly string[])[]): void {
  const running = rows.flat().filter(cell => /^[=+\-@\t\r]/.test(cell) && !/^-?\d+$/.test(cell))
  deepStrictEqual(running, [], 'cells that a spreadsheet would run')
  deepStrictEqual(new Set(rows.map(({ length }) => length)).size, 1, 'rows of equal length')
}
