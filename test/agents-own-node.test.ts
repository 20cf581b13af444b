// The policy that is installed with the agents, on the twin: the token of an agent's pod writes the node that the pod is on, and no other.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { startTwin } from '#twin/twin.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'

const namespace = 'ballast-agent'
const { signal } = new AbortController()
const installed = objects(installationValues({ enable: ['readiness'] }, capabilities), {
  capabilities,
  release: plainRelease('ballast', 'ballast-system'),
}).filter(
  ({ kind, metadata }) =>
    [
      'ServiceAccount',
      'ClusterRole',
      'ClusterRoleBinding',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ].includes(kind) && metadata.name.includes('agent'),
)
const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-${name}` }, status: {} })
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'agent-1', namespace, uid: 'uid-agent-1' },
  spec: { nodeName: 'n1', serviceAccountName: 'ballast-agent', containers: [{ name: 'main', image: 'agent' }] },
}

async function site() {
  const around = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, node('n1'), node('n2'), pod]
  const twin = await startTwin({
    clock: new VirtualClock(systemClock.now()),
    objects: [...around, ...installed],
    components: false,
  })
  const write = async (token: string, name: string) => {
    const api = openApi(twin.transport({ token }), { clock: systemClock, userAgent: 'test' })
    const body = { status: { conditions: [{ type: 'ballast.dev/MirrorReady', status: 'True' }] } }
    return api
      .resource<Node>(builtIn.nodes)
      .patch(name, { type: 'strategic', body }, { signal, subresource: 'status' })
      .then(
        () => 'written',
        (error: Error) => error.message,
      )
  }
  const tokenFor = (bound?: { readonly kind: 'Pod'; readonly name: string; readonly uid: string }) =>
    twin.issueToken({ namespace, serviceAccount: 'ballast-agent', ...(bound === undefined ? {} : { bound }) })
  return { write, tokenFor, [Symbol.asyncDispose]: () => twin.stop() }
}

test('an agent writes the node that its pod is on and no other; a token that names no node writes none', async () => {
  await using of = await site()
  const token = await of.tokenFor({ kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' })
  const refused = expect.stringContaining('denied request: an agent writes the node that it runs on')
  expect(await of.write(token, 'n1')).toBe('written')
  expect(await of.write(token, 'n2')).toEqual(refused)
  expect(await of.write(await of.tokenFor(), 'n1')).toEqual(refused)
})
