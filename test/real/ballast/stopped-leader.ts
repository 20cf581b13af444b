// A leader that is stopped (SIGSTOP) for longer than its Lease, each time while evictions of it are under way, and goes on when the other process
// leads: the real API server's log says what arrived.
import { deepStrictEqual, ok } from 'node:assert'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ControllerProcess } from '../../controller-process.ts'
import { openChecker } from '../../independent-checker.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { eventually } from './example-cluster.ts'
import { end, follow, judgeTraces, landings, listOf, openSite, type PermitObject, paths, type Site, told } from './site.ts'

const stops = 3
/** So slow that what is wanted waits for the client's own limit. */
const configuration = `apiVersion: ballast.dev/v1alpha1
kind: BallastConfiguration
process: { kubeApiQPS: 3, kubeApiBurst: 3 }
`

interface LeaseObject extends ApiObject {
  readonly spec: { readonly holderIdentity?: string }
}

interface EvictionPermit extends PermitObject {
  readonly spec: PermitObject['spec'] & {
    readonly targets: readonly { readonly kind: string; readonly namespace?: string; readonly name: string }[]
  }
}

const holder = async ({ client }: Site) => {
  const { status, body } = await client.send('GET', paths.lease)
  return status === 200 ? ((body as LeaseObject).spec.holderIdentity ?? '') : ''
}

const evictions = async ({ client }: Site) =>
  (await listOf<EvictionPermit>(client, paths.permits)).filter(({ spec }) => spec.verb === 'evict' && spec.grant !== undefined)

/** Three stops, each with an eviction granted and not ended. */
export async function stopLeaderOverEvictions(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-stopped-leader-'))
  const file = join(directory, 'config.yaml')
  writeFileSync(file, configuration)
  try {
    await using site = await openSite('1.36')
    const byHolder = new Map<string, ControllerProcess>()
    const first = site.startController('prefer', ['--config', file])
    const firstHolder = await eventually('somebody leads', async () => (await holder(site)) || undefined)
    byHolder.set(firstHolder, first)
    const second = site.startController('prefer', ['--config', file])
    const checker = await openChecker(site.transport)
    let stopped = 0
    const ended = await follow(site, async () => {
      site.look(first, second)
      const isOut = (await evictions(site)).some(({ status }) => status?.releasedAt === undefined)
      if (stopped < stops && isOut) {
        const leading = await holder(site)
        const leader = byHolder.get(leading) ?? second
        byHolder.set(leading, leader)
        stopped++
        leader.pause()
        await eventually(
          'the other one leads',
          async () => ([leading, ''].includes(await holder(site)) ? undefined : true),
          60_000,
        )
        // It looks at what was begun, and withdraws what was not.
        await eventually(
          'what was out is ended',
          async () => ((await evictions(site)).every(({ status }) => status?.releasedAt !== undefined) ? true : undefined),
          15_000,
        ).catch(() => undefined) // it may grant the next one at once
        leader.goOn()
      }
      return `${first.log}\n${second.log}`
    })
    deepStrictEqual(stopped, stops, told(ended))
    await end(site, first)
    await end(site, second)
    const { requests } = await judgeTraces(site, await checker.judge())
    const permits = await evictions(site)
    const arrived = requests.filter(({ path, code }) => path.endsWith('/eviction') && code === 201)
    for (const { path, receivedMs } of arrived) {
      const [, namespace, name] = /namespaces\/([^/]+)\/pods\/([^/]+)\/eviction$/.exec(path) ?? []
      const covering = permits.filter(({ spec }) => spec.targets.some(one => one.namespace === namespace && one.name === name))
      const isCovered = covering.some(
        ({ spec, status }) =>
          Date.parse(spec.grant?.at ?? '') <= receivedMs && receivedMs <= Date.parse(status?.releasedAt ?? ''),
      )
      ok(isCovered, `${path} arrived at ${new Date(receivedMs).toISOString()}, its permits: ${JSON.stringify(covering)}`)
    }
    const withdrawn = permits.filter(({ status }) => status?.ending === 'withdrawn').length
    return `${stops} stops, ${arrived.length} evictions, each under a permit that was out; ${withdrawn} permits withdrawn, ${landings(ended).length} landings`
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
