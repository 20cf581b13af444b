// What the HTTP add-on's operator makes of `test/gateway-operator-cases.ts`: its ScaledObjects and the statuses that it writes, in
// `test/fixtures/http-add-on/operator.json`. Run it by `node bin/set-up node test/real/gateway/record-operator.ts`.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { operatorObjects, operatorScaler } from '../../gateway-operator-cases.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { atEnd } from '../endings.ts'
import { kedaDefinitions } from '../keda/site.ts'
import { ended, until } from '../metrics/servers.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { collectionPath, GatewaySite } from './site.ts'

/** After its last write the operator has nothing to do: it is quiet for so long. */
const quietMs = 3_000

const program = await upstreamPath('http-add-on-operator')
const definitions = (await kedaDefinitions()).filter(({ metadata }) => metadata.name === 'scaledobjects.keda.sh')
await using site = await GatewaySite.start(definitions as readonly unknown[] as readonly ApiObject[])
const [metrics = 0, probes = 0] = await freePorts(2)
const child = spawn(program, [`--metrics-bind-address=127.0.0.1:${metrics}`, `--health-probe-bind-address=127.0.0.1:${probes}`], {
  stdio: ['ignore', 'pipe', 'pipe'],
  env: {
    PATH: process.env['PATH'],
    KUBECONFIG: site.plane.kubeconfig,
    KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE: operatorScaler.service,
    KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_PORT: String(operatorScaler.port),
    KEDA_HTTP_OPERATOR_NAMESPACE: operatorScaler.namespace,
  },
})
const isOver = atEnd(() => child.kill('SIGKILL'))
let output = ''
for (const stream of [child.stdout, child.stderr])
  stream.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-20_000)
  })
try {
  await until(
    () => `the operator to be ready: ${output.slice(-2_000)}`,
    () =>
      fetch(`http://127.0.0.1:${probes}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
  )
  for (const object of operatorObjects) await site.make([object])
  const recorded = { program: upstreamVersion('http-add-on-operator'), command: 'node test/real/gateway/record-operator.ts' }
  const first = await settled()
  const path = `${collectionPath('HTTPScaledObject')}/plain`
  const annotations = { 'httpscaledobject.keda.sh/orphan-scaledobject': 'true' }
  await site.plane.client.want('PATCH', path, { metadata: { annotations } })
  const skip = { 'httpscaledobject.keda.sh/skip-scaledobject-creation': 'true' }
  await site.plane.client.want('PATCH', `${collectionPath('HTTPScaledObject')}/replicas`, { metadata: { annotations: skip } })
  await site.plane.client.want('DELETE', `${collectionPath('HTTPScaledObject')}/orphaned`)
  await site.plane.client.want('DELETE', `${collectionPath('HTTPScaledObject')}/pending`)
  const then = await settled()
  const folder = join(import.meta.dirname, '..', '..', 'fixtures', 'http-add-on')
  mkdirSync(folder, { recursive: true })
  const changes = ['plain: orphan', 'replicas: skip', 'orphaned: deleted', 'pending: deleted']
  writeFileSync(join(folder, 'operator.json'), `${JSON.stringify({ ...recorded, first, changes, then }, undefined, 1)}\n`)
  console.log(`${operatorObjects.length} objects and ${Object.keys(first.ScaledObject ?? {}).length} ScaledObjects are recorded`)
} finally {
  await ended(child)
  isOver()
}

/** All objects, once nothing was written for a while. */
async function settled(): Promise<Readonly<Record<string, Readonly<Record<string, unknown>>>>> {
  let last = ''
  for (let quietSince = Date.now(); Date.now() - quietSince < quietMs; await pause(300)) {
    const now = JSON.stringify(await looked())
    if (now !== last) quietSince = Date.now()
    last = now
  }
  return JSON.parse(last)
}

async function looked(): Promise<Record<string, Record<string, unknown>>> {
  const found: Record<string, Record<string, unknown>> = {}
  for (const kind of ['HTTPScaledObject', 'InterceptorRoute', 'ScaledObject']) {
    const { items } = Object(await site.plane.client.want('GET', collectionPath(kind)))
    found[kind] = Object.fromEntries((items as readonly ApiObject[]).map(item => [item.metadata.name, plain(item)]))
  }
  return found
}

/** Without what is of this run. */
function plain({ metadata, spec, status, kind }: ApiObject): unknown {
  const { labels, annotations, finalizers, ownerReferences } = metadata as ApiObject['metadata'] & {
    readonly ownerReferences?: readonly { readonly uid: string }[]
  }
  const conditions = (Object(status)['conditions'] as readonly Record<string, unknown>[] | undefined)?.map(
    ({ lastTransitionTime: _at, timestamp: _time, ...rest }) => rest,
  )
  return {
    metadata: {
      ...{ labels, annotations, finalizers },
      ownerReferences: ownerReferences?.map(({ uid: _uid, ...rest }) => rest),
    },
    ...(kind === 'ScaledObject' || spec === undefined ? { spec } : {}),
    status: status === undefined ? undefined : { ...(status as object), conditions },
  }
}
