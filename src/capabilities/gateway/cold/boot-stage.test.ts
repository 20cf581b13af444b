import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Condition, ContainerStatus, KubeObject, Pod, PodStatus } from '#kube/objects/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import { type BootFacts, bootPosition, bootStages } from './boot-stage.ts'
import { podTrouble } from './pod-trouble.ts'

const created = '2027-01-03T04:00:00Z'
const at = (seconds: number) => new Date(Date.parse(created) + seconds * 1_000).toISOString().replace('.000Z', 'Z')
const ms = (seconds: number) => Date.parse(created) + seconds * 1_000

function pod(status: PodStatus, more: { node?: string; uid?: string; deleted?: boolean; gates?: string[] } = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name: 'ollama-7d9f-x', namespace: 'llm', uid: more.uid ?? 'u1', creationTimestamp: created },
      ...(more.deleted ? { deletionTimestamp: created } : {}),
    },
    spec: {
      containers: [{ name: 'ollama', image: 'ollama/ollama:0.12.0' }],
      ...(more.node === undefined ? {} : { nodeName: more.node }),
      ...(more.gates === undefined ? {} : { schedulingGates: more.gates.map(name => ({ name })) }),
    },
    status,
  }
}

const condition = (type: string, status: 'True' | 'False', more: Partial<Condition> = {}): Condition => ({
  ...{ type, status, lastTransitionTime: at(5) },
  ...more,
})
const scheduled = condition('PodScheduled', 'True')
const unschedulable = condition('PodScheduled', 'False', {
  reason: 'Unschedulable',
  message: '0/4 nodes are available: 4 Insufficient nvidia.com/gpu. preemption: 0/4 nodes are available.',
})
const sandbox = (status: 'True' | 'False') => condition('PodReadyToStartContainers', status, { lastTransitionTime: at(8) })
const container = (state: object, more: object = {}): ContainerStatus => ({
  ...{ name: 'ollama', image: 'ollama/ollama:0.12.0', ready: false, started: false, restartCount: 0, state },
  ...more,
})
const waiting = (reason: string, message?: string) => ({ waiting: { reason, ...(message === undefined ? {} : { message }) } })
const pending = (conditions: Condition[], ...containerStatuses: ContainerStatus[]): PodStatus => ({
  ...{ phase: 'Pending', conditions, containerStatuses },
})
const on = { node: 'talos02' }

const claim = (seconds: number, conditions: Condition[] = []): KubeObject => ({
  apiVersion: 'karpenter.sh/v1',
  kind: 'NodeClaim',
  metadata: { name: 'gpu-x7', creationTimestamp: at(seconds) },
  status: { conditions },
})

const nothing: BootFacts = {
  ...{ pods: [], claims: [], ordered: new Set<string>(), endpoints: 0, loading: 0, isAsked: false },
  isNodeReady: name => (name === 'down' ? false : name === 'talos02' ? true : undefined),
}
const workload = (wanted: number | undefined, conditions: Condition[] = []) => ({
  workload: { kind: 'Deployment', name: 'ollama', wanted, conditions },
})

describe('the stage', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<BootFacts>, string, string, number?]>([
    ['nothing is known', {}, 'queued', 'a pod is waited for'],
    ['at zero', workload(0), 'queued', 'Deployment ollama is scaled up'],
    ['one is to be', workload(1), 'queued', 'Deployment ollama makes a pod'],
    ['a new pod', { pods: [pod({ phase: 'Pending' })] }, 'queued', 'the pod waits for a node', 0],
    ['no node', { pods: [pod(pending([unschedulable]))] }, 'queued', 'the pod waits for a node', 0],
    ['a claim', { pods: [pod(pending([unschedulable]))], claims: [claim(7)] }, 'node-requested', 'node claim gpu-x7 becomes a node', 7],
    ['a claim of long before', { pods: [pod(pending([unschedulable]))], claims: [claim(-61)] }, 'queued', 'the pod waits for a node', 0],
    ['a node is ordered', { pods: [pod(pending([unschedulable]))], ordered: new Set(['u1']) }, 'node-requested', 'the cluster autoscaler has ordered a node', 5],
    ['ordered for another', { pods: [pod(pending([unschedulable]))], ordered: new Set(['u2']) }, 'queued', 'the pod waits for a node', 0],
    ['a node that is not ready', { pods: [pod(pending([scheduled]), { node: 'down' })] }, 'node-requested', 'node down is not ready yet', 5],
    ['on a node', { pods: [pod(pending([scheduled]), on)] }, 'node-ready', 'network and volumes are made ready on node talos02', 5],
    ['without a sandbox', { pods: [pod(pending([scheduled, sandbox('False')], container(waiting('ContainerCreating'))), on)] }, 'node-ready', 'network and volumes are made ready on node talos02', 5],
    ['pulling', { pods: [pod(pending([scheduled, sandbox('True')], container(waiting('ContainerCreating'))), on)] }, 'image', 'image ollama/ollama:0.12.0 is pulled on node talos02', 8],
    ['a kubelet that says less', { pods: [pod(pending([scheduled], container(waiting('ContainerCreating'))), on)] }, 'image', 'image ollama/ollama:0.12.0 is pulled on node talos02', 5],
    ['running', { pods: [pod({ ...pending([scheduled], container({ running: { startedAt: at(20) } })), phase: 'Running' }, on)] }, 'container', 'container ollama runs on node talos02 and is not ready yet', 20],
    ['an init container', { pods: [pod({ ...pending([scheduled, sandbox('True')], container(waiting('PodInitializing'))), initContainerStatuses: [{ name: 'fetch', state: { running: { startedAt: at(12) } } }] }, on)] }, 'container', 'init container fetch runs on node talos02', 12],
    ['after it', { pods: [pod({ ...pending([scheduled, sandbox('True')], container(waiting('PodInitializing'))), initContainerStatuses: [{ name: 'fetch', state: { terminated: { exitCode: 0, startedAt: at(12) } } }] }, on)] }, 'container', 'the container starts on node talos02', 12],
    ['a readiness gate', { pods: [pod(pending([scheduled, condition('ContainersReady', 'True')], container({ running: { startedAt: at(20) } }, { ready: true })), on)] }, 'container', 'the containers are ready on node talos02; what else makes the pod ready is waited for', 20],
    ['ready', { pods: [pod(pending([scheduled, condition('Ready', 'True', { lastTransitionTime: at(30) })], container({ running: {} }, { ready: true })), on)] }, 'ready', 'the pod is ready on node talos02', 30],
    ['an endpoint', { endpoints: 1, pods: [pod(pending([scheduled]), on)] }, 'ready', 'the target is ready'],
    ['a model', { endpoints: 1, loading: 1 }, 'model', 'the model is loaded'],
    ['one of two has it', { endpoints: 2, loading: 1 }, 'ready', 'the target is ready'],
    ['asked', { endpoints: 1, isAsked: true }, 'first-token', 'the request is with the target'],
    ['one that goes does not count', { ...workload(1), pods: [pod(pending([scheduled]), { ...on, deleted: true })] }, 'queued', 'Deployment ollama makes a pod'],
    ['the farthest counts', { pods: [pod(pending([unschedulable])), pod(pending([scheduled]), on), pod({ phase: 'Pending' })] }, 'node-ready', 'network and volumes are made ready on node talos02', 5],
    ['a time that is none', { pods: [pod(pending([{ ...scheduled, lastTransitionTime: 'soon' }]), on)] }, 'node-ready', 'network and volumes are made ready on node talos02'],
  ])('%s', (_name, facts, stage, sentence, seconds) => {
    const found = bootPosition({ ...nothing, ...facts })
    expect(found).toMatchObject({ stage, sentence })
    expect(found.sinceMs).toBe(seconds === undefined ? undefined : ms(seconds))
  })
})

const backOff = 'Back-off pulling image "ollama/ollama:0.12.0": ErrImagePull: not found'
const quota = `pods "ollama-x" is forbidden: ${upstreamText('quota-exceeded', 'gpu', 'requests.nvidia.com/gpu=1', '1', '1')}`

describe('trouble', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<BootFacts>, string, string, string]>([
    ['no node takes it', { pods: [pod(pending([unschedulable]))] }, 'queued', 'Unschedulable', `no node takes the pod: ${unschedulable.message}`],
    ['a gate', { pods: [pod(pending([condition('PodScheduled', 'False', { reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates' })]), { gates: ['kueue.x-k8s.io/admission'] })] }, 'queued', 'SchedulingGated', 'the pod is kept from nodes by a gate: kueue.x-k8s.io/admission'],
    ['no image', { pods: [pod(pending([scheduled, sandbox('True')], container(waiting('ImagePullBackOff', backOff))), on)] }, 'image', 'ImagePullBackOff', `image ollama/ollama:0.12.0 cannot be pulled: ${backOff}`],
    ['no image, of an older kubelet', { pods: [pod(pending([scheduled, sandbox('False')], container(waiting('ErrImagePull'))), on)] }, 'image', 'ErrImagePull', 'image ollama/ollama:0.12.0 cannot be pulled'],
    ['a name that is none', { pods: [pod(pending([scheduled], container(waiting('InvalidImageName'))), on)] }, 'image', 'InvalidImageName', 'image ollama/ollama:0.12.0 cannot be pulled'],
    ['no Secret', { pods: [pod(pending([scheduled, sandbox('True')], container(waiting('CreateContainerConfigError', 'secret "key" not found'))), on)] }, 'container', 'CreateContainerConfigError', 'container ollama cannot start: secret "key" not found'],
    ['it crashes', { pods: [pod(pending([scheduled, sandbox('True')], container(waiting('CrashLoopBackOff'), { restartCount: 4, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } })), on)] }, 'container', 'CrashLoopBackOff', 'container ollama has ended 4 times, last with exit code 137 (OOMKilled)'],
    ['it has crashed once', { pods: [pod(pending([scheduled], container(waiting('CrashLoopBackOff'), { restartCount: 1, lastState: { terminated: { exitCode: 1, reason: 'Error' } } })), on)] }, 'container', 'CrashLoopBackOff', 'container ollama has ended once, last with exit code 1'],
    ['it has just ended', { pods: [pod(pending([scheduled], container({ terminated: { exitCode: 1, reason: 'Error', startedAt: at(9) } })), on)] }, 'container', 'Error', 'container ollama ended with exit code 1'],
    ['a quota', workload(1, [condition('ReplicaFailure', 'True', { reason: 'FailedCreate', message: quota })]), 'queued', 'QuotaExceeded', `a quota refuses the pod: ${quota}`],
    ['a webhook', workload(1, [condition('ReplicaFailure', 'True', { reason: 'FailedCreate', message: 'admission webhook denied' })]), 'queued', 'FailedCreate', 'Deployment ollama cannot make a pod: admission webhook denied'],
    ['a pause', { ...workload(0), scaledObject: { name: 'ollama', isPaused: true, conditions: [] } }, 'queued', 'Paused', 'ScaledObject ollama is paused: nothing scales the target'],
    ['a ScaledObject that is wrong', { ...workload(0), scaledObject: { name: 'ollama', isPaused: false, conditions: [condition('Ready', 'False', { reason: 'ScaledObjectCheckFailed', message: 'no target' })] } }, 'queued', 'ScaledObjectCheckFailed', 'ScaledObject ollama is not ready: no target'],
    ['a pod that was evicted', { ...workload(1), pods: [pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' })] }, 'queued', 'Evicted', 'the pod has failed: The node was low on resource: memory.'],
    ['a claim nobody can have', { pods: [pod(pending([unschedulable]))], claims: [claim(7, [condition('Launched', 'False', { reason: 'InsufficientCapacity', message: 'no spot g4dn.xlarge' })])] }, 'node-requested', 'InsufficientCapacity', 'node claim gpu-x7 is not launched: no spot g4dn.xlarge'],
  ])('%s', (_name, facts, stage, reason, sentence) => {
    expect(bootPosition({ ...nothing, ...facts })).toMatchObject({ stage, trouble: { reason, sentence } })
  })
  test('of two pods that are as far the one without is told of', () => {
    const good = pod(pending([scheduled, sandbox('True')], container(waiting('ContainerCreating'))), on)
    const bad = pod(pending([scheduled, sandbox('True')], container(waiting('ImagePullBackOff'))), on)
    expect(bootPosition({ ...nothing, pods: [bad, good] }).trouble).toBeUndefined()
    expect(bootPosition({ ...nothing, pods: [good, bad] }).trouble).toBeUndefined()
  })
  test('a claim that is being launched is none, nor a container that has ended well', () => {
    const unknown = condition('Launched', 'False', { message: '' })
    expect(
      bootPosition({ ...nothing, pods: [pod(pending([unschedulable]))], claims: [claim(7, [unknown])] }).trouble,
    ).toBeUndefined()
    expect(podTrouble(pod(pending([scheduled], container({ terminated: { exitCode: 0 } })), on))).toBeUndefined()
  })
})

test('whatever texts a cluster has, sentences are one line of bounded length', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 2_000 }),
    fc.constantFrom('a\n\nb', 'x\u202ey\u0000', '\ud800'.repeat(400)),
  )
  fc.assert(
    fc.property(
      text,
      text,
      text,
      fc.constantFrom(...['ErrImagePull', 'CrashLoopBackOff', 'X']),
      (message, image, name, reason) => {
        const status = { ...container(waiting(reason, message), { restartCount: 1 }), image }
        for (const one of [
          pod(pending([scheduled, sandbox('True')], status), on),
          pod(pending([{ ...unschedulable, message }])),
          pod({ phase: 'Failed', reason: name, message }),
        ]) {
          const { sentence, trouble, stage } = bootPosition({ ...nothing, pods: [one] })
          expect(bootStages).toContain(stage)
          for (const said of [sentence, trouble?.sentence ?? '', trouble?.reason ?? '']) {
            expect(said.length).toBeLessThan(600)
            expect(said).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u)
          }
        }
      },
    ),
  )
})
