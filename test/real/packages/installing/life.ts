// A release lives through: an older version is there with its objects, this one takes its place and works, and then nothing of it is left.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isRecord } from '#kube/objects/object-shape.ts'
import { tokenKubeconfig } from '../../../controller-process.ts'
import type { Check } from '../../check.ts'
import { startProgram, until } from '../../mirror/laboratory/program.ts'
import { temporaryFolder } from '../own-release.ts'
import { untilAsBefore, wholeOf } from './objects.ts'
import { type LifeSite, openLifeSite } from './site.ts'
import { namespace, older, openWay, type Way, type WayName, wayNames } from './ways.ts'

export const installingChecks: readonly Check[] = wayNames.flatMap(way =>
  (['twin', 'real'] as const).map(what => ({
    name: `packages: an older version upgraded by ${way}, at work and removed, on the ${what === 'twin' ? 'twin' : 'real control plane'}`,
    run: () => judgeLife(way, what),
  })),
)

const list = (...items: readonly object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
const labels = { app: 'cart' }

/** What users have: a workload that a reload is to restart. */
const shop = list(
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'cart', namespace: 'shop' }, stringData: { password: 'one' } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'cart', namespace: 'shop', annotations: { 'reloader.stakater.com/auto': 'true' } },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'web', image: 'registry.example/cart:1', envFrom: [{ secretRef: { name: 'cart' } }] }] },
      },
    },
  },
)
const secretWith = (password: string) => [
  'patch',
  'secret',
  'cart',
  '-n',
  'shop',
  '-p',
  JSON.stringify({ stringData: { password } }),
]

/** Kinds of the older version, and what is asked of the objects that it left. */
const olderObjects = ['rebalancepolicy', 'rebalanceplan', 'disruptionpermit', 'nodereadinessrule'] as const

async function judgeLife(wayName: WayName, what: LifeSite['what']): Promise<string> {
  await using site = await openLifeSite(what)
  await using way = await openWay(wayName, site)
  await site.run(['apply', '--server-side', '-f', '-'], shop)
  const before = await wholeOf(site)
  await way.installOlder()
  await site.run(['wait', 'crd', '--all', '--for=condition=Established', '--timeout=60s'])
  await site.run(['create', '-f', join(older, 'objects.yaml')])
  const specs = await specsOf(site)
  await way.install()
  await site.run(['wait', 'crd', '--all', '--for=condition=Established', '--timeout=60s'])
  for (const [at, spec] of (await specsOf(site)).entries()) deepStrictEqual(ofOlder(spec, specs[at]), specs[at])
  const work = await judgeWork(way, site)
  await taint(site)
  const said = await way.remove()
  const kinds = new Set(names(await site.run(['get', 'crd', '-l', 'app.kubernetes.io/part-of=ballast', '-o', 'name'])))
  const isKept = (key: string) => keptKey(key, kinds)
  const kept = await untilAsBefore(site, before, isKept, withoutReload)
  strictEqual(kinds.size > 0, !way.takesKinds, [...kinds].join())
  if (!way.takesKinds) {
    const objects = kept.filter(key => !/^(CustomResourceDefinition|APIService) /.test(key))
    deepStrictEqual(objects, [driver, 'NodeReadinessRule before', 'RebalancePolicy before'])
    await site.run(['delete', 'crd', '-l', 'app.kubernetes.io/part-of=ballast', '--timeout=60s'])
    await site.run(['delete', 'csidriver', 'nfs.csi.k8s.io'])
    deepStrictEqual(await untilAsBefore(site, before, () => false, withoutReload), [])
  }
  return `${work}; ${said}; ${kinds.size} kinds kept, and gone when asked`
}

const names = (text: string) =>
  text
    .trim()
    .split('\n')
    .flatMap(line => (line === '' ? [] : [line.slice(line.indexOf('/') + 1)]))

/** Pods that have volumes mounted need it until they are gone. */
const driver = 'CSIDriver nfs.csi.k8s.io'

/** A kind, the API that the server registers for its group, and what users have written of it. */
function keptKey(key: string, kinds: ReadonlySet<string>): boolean {
  const [kind = '', name = ''] = key.split(' ')
  if (kind === 'CustomResourceDefinition') return kinds.has(name)
  if (kind === 'APIService') return [...kinds].some(one => name.endsWith(one.slice(one.indexOf('.'))))
  return key === driver || /^(RebalancePolicy|NodeReadinessRule) before$/.test(key)
}

/** The variable of the last reload stays in the template: `ballast uninstall` says so. */
function withoutReload(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, found: unknown) => {
      if (key !== 'env' || !Array.isArray(found)) return found
      const rest = found.filter(one => !/^STAKATER_/.test(String(Object(one).name)))
      return rest.length === 0 ? undefined : rest
    }),
  )
}

async function specsOf(site: LifeSite): Promise<readonly unknown[]> {
  const specs: unknown[] = []
  for (const kind of olderObjects) {
    const found = z.object({ items: z.array(z.object({ spec: z.unknown() })) })
    const { items } = found.parse(JSON.parse(await site.run(['get', kind, '-A', '-o', 'json'])))
    strictEqual(items.length, 1, kind)
    specs.push(items[0]?.spec)
  }
  return specs
}

/** Without what defaults of the newer kinds add: all that was written is there, as it was written. */
function ofOlder(newer: unknown, was: unknown): unknown {
  if (Array.isArray(newer) && Array.isArray(was)) return newer.map((one, at) => ofOlder(one, was[at]))
  if (!isRecord(newer) || !isRecord(was)) return newer
  return Object.fromEntries(
    Object.entries(newer)
      .filter(([key]) => key in was)
      .map(([key, value]) => [key, ofOlder(value, was[key])]),
  )
}

/** Something of ours on an object of others. */
async function taint(site: LifeSite): Promise<void> {
  const [node = ''] = names(await site.run(['get', 'nodes', '-o', 'name']))
  await site.run(['taint', 'node', node, 'ballast.dev/rebalance=plan:PreferNoSchedule'])
}

const deploymentSchema = z.object({
  spec: z.object({ template: z.object({ spec: z.object({ containers: z.array(z.object({ args: z.array(z.string()) })) }) }) }),
})
const podName = 'from-the-release'
const workMs = 120_000

/** The controller of the release, with the words and the rights of the Deployment, takes its Lease, restarts a workload and looks after what is there. */
async function judgeWork(way: Way, site: LifeSite): Promise<string> {
  const deployment = await site.run(['get', 'deployment', 'ballast-controller', '-n', namespace, '-o', 'json'])
  const { args = [] } = deploymentSchema.parse(JSON.parse(deployment)).spec.template.spec.containers[0] ?? {}
  const folder = temporaryFolder()
  const configuration = join(folder, 'config.yaml')
  const map = ['get', 'configmap', 'ballast-config', '-n', namespace, '-o', 'jsonpath={.data.config\\.yaml}']
  writeFileSync(configuration, await site.run(map))
  const token = (await site.run(['create', 'token', 'ballast-controller', '-n', namespace, '--duration=1h'])).trim()
  using kubeconfig = tokenKubeconfig(readFileSync(site.kubeconfig, 'utf8'), token)
  // Webhooks are told of this machine, where nobody makes Services' addresses lead anywhere.
  const words = args.filter(one => !/^--(config|webhook-host)=/.test(one))
  const {
    words: [program, ...first],
    folder: place,
    env,
  } = way.process ?? way.command
  const controller = startProgram(
    program,
    [
      ...first,
      ...words,
      `--config=${configuration}`,
      '--webhook-host=127.0.0.1',
      '--webhook-port=0',
      '--kubeconfig',
      kubeconfig.file,
    ],
    { cwd: place, env: { ...env, BALLAST_POD_NAME: podName, BALLAST_POD_NAMESPACE: namespace } },
  )
  try {
    const lives = async <T>(what: string, holds: () => Promise<T | false>) =>
      await until(
        what,
        async () => {
          ok(!controller.hasEnded(), `the controller ended: ${controller.log().slice(-6_000)}`)
          return await holds()
        },
        workMs,
        500,
      ).catch((cause: unknown) => {
        throw new Error(`${what}: ${controller.log().slice(-6_000)}`, { cause })
      })
    const holder = ['get', 'lease', 'ballast-controller', '-n', namespace, '-o', 'jsonpath={.spec.holderIdentity}']
    await lives('it takes its Lease', async () => (await site.tried(holder)).stdout.includes(podName))
    await lives('it has seen what the workload reads', async () =>
      /configmap\/ballast-reload-/.test(await site.run(['get', 'configmaps', '-n', namespace, '-o', 'name'])),
    )
    await site.run(secretWith('two'))
    const template = ['get', 'deployment', 'cart', '-n', 'shop', '-o', 'jsonpath={.spec.template}']
    await lives('it restarts the workload', async () => (await site.run(template)).includes('STAKATER_'))
    const ending = ['get', 'disruptionpermit', 'before', '-n', 'default', '-o', 'jsonpath={.status.releasedAt}']
    await lives('it ends the permit of the version before', async () => (await site.run(ending)) !== '')
  } finally {
    // As a node that is lost: what it holds, it holds on to.
    await controller.kill()
  }
  await site.run(secretWith('one'))
  await way.install()
  return 'leads, restarted a workload and ended a permit of the version before'
}
