// The twin's controls: what is pressed is what kubectl sees, and the other way round.
import { deepStrictEqual, ok } from 'node:assert'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startExample } from './ballast-process.ts'
import { openBrowser } from './browser.ts'
import { ofBallast, openTwinApi } from './twin-api.ts'

const soonMs = 120_000
const clocks = { ...ofBallast, resource: 'twinclocks' } as const
const faults = { ...ofBallast, resource: 'twinfaults' } as const

/** Pause, speed, a minute on, a node that stops and is healed: each as an object; and a pace that kubectl sets, on the page. */
export async function judgeTwinControls(): Promise<string> {
  await using ballast = await startExample()
  await ballast.until(/Press Enter to approve/)
  await using twin = await openTwinApi(`${ballast.directory}/kubeconfig`)
  await using own = await openBrowser()
  await using sight = await own.open()
  const { page, complaints } = sight
  await page.goto(`${ballast.url}twin`)
  const bar = page.getByRole('region', { name: 'Twin', exact: true })
  const button = (name: string | RegExp) => bar.getByRole('button', { name, exact: true })
  const clock = () => twin.get(clocks, 'clock')
  const spec = (of: KubeObject) => Object(of['spec'])
  const timeOf = (of: KubeObject) => Date.parse(Object(of['status']).now)

  await button('60×').click()
  await twin.until(clock, object => String(spec(object).speed) === '60')
  await bar.getByRole('button', { name: '60×', exact: true, pressed: true }).waitFor({ timeout: soonMs })
  await button(/pause/).click()
  const paused = await twin.until(clock, object => spec(object).paused === true)
  await button(/run/).waitFor({ timeout: soonMs })
  const standing = await twin.until(clock, object => timeOf(object) >= timeOf(paused))
  await button('+1m').click()
  const advanced = await twin.until(clock, object => timeOf(object) - timeOf(standing) >= 60_000)
  ok(timeOf(advanced) - timeOf(standing) < 120_000, `${timeOf(advanced) - timeOf(standing)} ms passed while the clock stood`)
  await button(/run/).click()
  await twin.until(clock, object => spec(object).paused === false)
  await twin.patch(clocks, { name: 'clock' }, { spec: { speed: '10' } })
  await bar.getByRole('button', { name: '10×', exact: true, pressed: true }).waitFor({ timeout: soonMs })

  await page.getByLabel('What breaks').selectOption('stop-node')
  await page.getByLabel('Which node').selectOption('talos03')
  await page.getByLabel('For how long').selectOption('until healed')
  await page.getByRole('button', { name: 'Break it' }).click()
  const made = await twin.until(
    () => twin.list(faults),
    list => list.length === 1,
  )
  ok(/^page-\d+$/.test(made[0]?.metadata.name ?? ''), made[0]?.metadata.name)
  deepStrictEqual(Object(made[0]?.['spec']).node, { names: ['talos03'], action: 'crash' })
  await page
    .locator('main')
    .getByText(made[0]?.metadata.name ?? '')
    .first()
    .waitFor({ timeout: soonMs })
  await twin.until(() => twin.get(builtIn.nodes, 'talos03'), isUnready)
  await page.goto(ballast.url)
  await page
    .getByText(/Not ready/)
    .first()
    .waitFor({ timeout: soonMs })
  await page.goto(`${ballast.url}twin`)
  await page.getByRole('button', { name: 'Heal' }).click()
  await twin.until(
    () => twin.list(faults),
    list => list.length === 0,
  )
  await page.getByText('Nothing is broken.').waitFor({ timeout: soonMs })
  deepStrictEqual(complaints, [])
  return 'speed, pause, a minute on and run as a TwinClock has them; a fault made and healed; the pace of kubectl on the page'
}

function isUnready(node: KubeObject): boolean {
  const { conditions = [] }: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] } = Object(
    node['status'],
  )
  return conditions.some(({ type, status }) => type === 'Ready' && status !== 'True')
}
