// Our kinds as a real API server takes them: schemas, what they refuse, and what kubectl makes of them.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { installationObjects } from '../../../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { ballastNamespace } from '../../../src/process/own-names.ts'
import { company, editRequest, handEdits, permitGrant, permitObject, permitSpec } from '../api-answers/own-kinds.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import { exampleCluster, untilEstablished } from './example-cluster.ts'

const ballastKinds = ['rebalancepolicies', 'rebalanceplans', 'disruptionpermits'] as const

/** As an administrator does: kubectl applies kinds, namespace, account and rights. */
export async function install(plane: ControlPlane): Promise<void> {
  const items = installationObjects(enabledCapabilities, ballastNamespace)
  const kubectl = await kubectlPath('newest')
  const apply = (objects: readonly object[]) =>
    commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
      timeoutMs: 60_000,
    })
  await apply(items)
  for (const kind of ballastKinds) {
    const conditions = await untilEstablished(plane.client, `${kind}.ballast.dev`)
    const bad = conditions.filter(
      ({ type, status }) =>
        (type === 'NonStructuralSchema' && status === 'True') || (type === 'NamesAccepted' && status !== 'True'),
    )
    deepStrictEqual(bad, [])
  }
}

interface Sample {
  readonly path: string
  readonly object: object
  /** Said by the server; undefined where it takes the object. */
  readonly refusal?: RegExp
}

function samples(): readonly Sample[] {
  const { objects } = exampleCluster()
  const good = objects.find(({ kind }) => kind === 'RebalancePolicy')
  ok(good !== undefined)
  const path = '/apis/ballast.dev/v1alpha1/rebalancepolicies'
  const bad = (spec: object, refusal: RegExp): Sample => ({
    path,
    object: { ...good, metadata: { name: 'bad' }, spec: { ...(good.spec as object), ...spec } },
    refusal,
  })
  const goal = { name: 'g', nodes: ['talos00'], resource: 'cpu' }
  return [
    { path, object: good },
    bad({ mode: 'Sometimes' }, /spec\.mode: Unsupported value: "Sometimes"/),
    { path, object: { ...good, spec: { ...(good.spec as object), goals: [] } } },
    bad({ goals: [], isolation: undefined }, /at least one goal, an isolation, or energy/),
    bad({ isolation: { taintMode: 'sometimes' } }, /spec\.isolation\.taintMode: Unsupported value: "sometimes"/),
    bad({ goals: [{ ...goal, max: 170 }] }, /spec\.goals\[0\]\.max: Invalid value: 170.*less than or equal to 100/),
    bad({ goals: [{ ...goal, margin: -1 }] }, /spec\.goals\[0\]\.margin: Invalid value: -1/),
    bad(
      { goals: [{ ...goal, resource: 'nvidia.com/' }] },
      /spec\.goals\[0\]\.resource: Invalid value: "nvidia.com\/".*should match/,
    ),
    bad({ goals: [{ ...goal, max: 70.555 }] }, /spec\.goals\[0\]\.max: Invalid value: .*a number with at most two decimals/),
    bad({ goals: [{ ...goal, spread: { max: 5.005 } }] }, /spec\.goals\[0\]\.spread\.max: .*a number with at most two decimals/),
    bad(
      { goals: [{ ...goal, resource: 'nvidia.com/gpu', stat: 'usage', max: 50 }] },
      /spec\.goals\[0\]: .*stat: requests: only cpu and memory are measured/,
    ),
    {
      path,
      object: { ...good, spec: { ...(good.spec as object), goals: [{ ...goal, resource: 'nvidia.com/gpu', max: 70.55 }] } },
    },
    bad({ limits: { concurrent: 'two' } }, /spec\.limits\.concurrent: Invalid value: "string".*must be of type integer/),
    bad({ goal: [] }, /unknown field "spec\.goal"/),
    {
      path: '/apis/ballast.dev/v1alpha1/rebalanceplans',
      object: {
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'RebalancePlan',
        metadata: { name: 'bad' },
        spec: {
          policyRef: { name: 'talos' },
          snapshotHash: 'h',
          outcome: 'met',
          method: 'milp',
          landing: 'prefer',
          moves: [{ id: 'm01' }],
        },
      },
      refusal: /spec\.moves\[0\]\.certificate: Required value/,
    },
  ]
}

/** What was granted stays as it is, whoever may edit it: a permit is asked for, granted, joined and released, then hands try. */
async function judgeHandEdits({ client }: ControlPlane): Promise<number> {
  const path = '/apis/ballast.dev/v1alpha1/namespaces/default/disruptionpermits'
  await client.want('POST', path, permitObject('p', permitSpec))
  await client.want('PATCH', `${path}/p`, { spec: { grant: permitGrant } })
  await client.want('PATCH', `${path}/p`, { spec: { joined: [company] } })
  await client.want('PATCH', `${path}/p/status`, { status: { releasedAt: '2026-01-01T00:01:00Z', ending: 'done' } })
  for (const edit of handEdits) {
    const request = editRequest(`${path}/p`, edit)
    const { status, body } = await client.send('PATCH', request.path, request.body, request.contentType)
    const { message = '' } = body as { readonly message?: string }
    strictEqual(status, edit.refusal === undefined ? 200 : 422, `${edit.what}: ${message}`)
    ok(edit.refusal?.test(message) !== false, `${edit.what}: ${message}, expected ${edit.refusal}`)
  }
  await client.want('DELETE', `${path}/p`)
  return handEdits.filter(({ refusal }) => refusal !== undefined).length
}

/** Kinds are served, bad objects refused, and kubectl can explain and list them. */
export async function judgeKinds(plane: ControlPlane): Promise<string> {
  await install(plane)
  // Applied again, it changes nothing.
  await install(plane)
  let refused = 0
  for (const { path, object, refusal } of samples()) {
    const { status, body } = await plane.client.send('POST', `${path}?dryRun=All&fieldValidation=Strict`, object)
    const said = JSON.stringify(object)
    if (refusal === undefined) {
      strictEqual(status, 201, `${said}: ${JSON.stringify(body)}`)
    } else {
      const { message = '' } = body as { readonly message?: string }
      ok(status === 422 || status === 400, `${said}: ${status} ${message}`)
      ok(refusal.test(message), `${said}: ${message}, expected ${refusal}`)
      refused++
    }
  }
  const edits = await judgeHandEdits(plane)
  const seen: string[] = []
  for (const version of ['1.32', 'newest'] as const) {
    const kubectl = await kubectlPath(version)
    const run = (...args: string[]) =>
      commandOutput(kubectl, [`--kubeconfig=${plane.kubeconfig}`, ...args], { timeoutMs: 60_000 })
    for (const field of ['mode', 'goals.margin', 'limits.perPlan', 'landing'])
      ok((await run('explain', `rebalancepolicy.spec.${field}`)).includes('FIELD:'), field)
    const explained = await run('explain', 'rebalancepolicy.spec')
    for (const field of ['goals', 'headroom', 'coordination', 'singleReplica'])
      ok(new RegExp(`^  ${field}\\s`, 'm').test(explained), `explain rebalancepolicy.spec: no ${field} in\n${explained}`)
    const known = await run('api-resources', '--categories=ballast', '--no-headers')
    strictEqual(known.trim().split('\n').length, ballastKinds.length, known)
    const listed = await runCommand(kubectl, [`--kubeconfig=${plane.kubeconfig}`, 'get', 'rbpol,rbplan,permit', '-A'])
    strictEqual(listed.code, 0, listed.stderr)
    seen.push(version)
  }
  return `${ballastKinds.length} kinds established, ${refused} bad samples and ${edits} edits by hand refused, kubectl ${seen.join(' and ')}`
}
