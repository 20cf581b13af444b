// DaemonSets: a pod a node, updates by both ways, nodes and taints that come and go. Each scenario has nodes of its own.
import { imagePatch, secondImage, workload } from './manifests.ts'
import { type Loose, type Scenario, type ScenarioRun, withImage } from './scenario.ts'

const kinds = ['DaemonSet', 'Pod', 'ControllerRevision'] as const

async function addNode(run: ScenarioRun, number: number, taints: readonly Loose[] = []): Promise<void> {
  const own = { key: 'scenario', value: run.namespace, effect: 'NoSchedule' }
  await run.create('Node', {
    metadata: { name: `${run.namespace}-n${number}`, labels: { pool: run.namespace } },
    spec: { taints: [own, ...taints] },
    status: { allocatable: { cpu: '8', memory: '16Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
  })
}

function set(run: ScenarioRun, spec: Loose = {}, pod: Loose = {}): Loose {
  const tolerations = [{ key: 'scenario', operator: 'Equal', value: run.namespace, effect: 'NoSchedule' }]
  return workload('agent', spec, { nodeSelector: { pool: run.namespace }, tolerations, ...pod })
}

async function running(run: ScenarioRun, nodes: number, spec: Loose = {}, pod: Loose = {}): Promise<void> {
  for (let node = 0; node < nodes; node++) await addNode(run, node)
  await run.step('created', () => run.create('DaemonSet', set(run, spec, pod)))
  await run.step('ready', () => run.ready())
}

async function rounds(run: ScenarioRun, count: number): Promise<void> {
  for (let round = 1; round <= count; round++) {
    await run.step(`gone ${round}`, () => run.gone())
    await run.step(`ready ${round}`, () => run.ready(withImage(secondImage)))
  }
}

export const daemonSetScenarios: readonly Scenario[] = [
  {
    name: 'daemons-one-by-one',
    kinds,
    hidesNodes: true,
    async play(run) {
      await running(run, 3)
      await run.step('new image', () => run.patch('DaemonSet', 'agent', imagePatch(secondImage)))
      await rounds(run, 3)
    },
  },
  {
    name: 'daemons-two-by-two',
    kinds,
    hidesNodes: true,
    async play(run) {
      await running(run, 4, { updateStrategy: { rollingUpdate: { maxUnavailable: '30%' } } })
      await run.step('one unready', () => run.unready(pod => pod.spec.nodeName === `${run.namespace}-n2`))
      await run.step('new image', () => run.patch('DaemonSet', 'agent', imagePatch(secondImage)))
      await rounds(run, 2)
    },
  },
  {
    name: 'daemons-surging',
    kinds,
    hidesNodes: true,
    async play(run) {
      await running(run, 3, { updateStrategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } })
      await run.step('new image', () => run.patch('DaemonSet', 'agent', imagePatch(secondImage)))
      for (let round = 1; round <= 3; round++) {
        await run.step(`ready ${round}`, () => run.ready(withImage(secondImage)))
        await run.step(`gone ${round}`, () => run.gone())
      }
    },
  },
  {
    name: 'daemons-on-delete',
    kinds,
    async play(run) {
      await running(run, 2, { updateStrategy: { type: 'OnDelete' } })
      await run.step('new image', () => run.patch('DaemonSet', 'agent', imagePatch(secondImage)))
      await run.step('one deleted', async () => {
        const [first] = await run.pods(pod => pod.spec.nodeName === `${run.namespace}-n0`)
        await run.remove('Pod', first?.metadata.name ?? '')
      })
      await rounds(run, 1)
    },
  },
  {
    name: 'nodes-come-and-go',
    kinds,
    async play(run) {
      await running(run, 1)
      await run.step('node added', () => addNode(run, 1))
      await run.step('node with a taint added', () => addNode(run, 2, [{ key: 'other', effect: 'NoSchedule' }]))
      await run.step('taint taken away', () =>
        run.patch('Node', `${run.namespace}-n2`, {
          spec: { taints: [{ key: 'scenario', value: run.namespace, effect: 'NoSchedule' }] },
        }),
      )
      await run.step('ready', () => run.ready())
      await run.step('NoSchedule taint on a node with its pod', () =>
        run.patch('Node', `${run.namespace}-n2`, { spec: { taints: [{ key: 'other', effect: 'NoSchedule' }] } }),
      )
      await run.step('NoExecute taint', () =>
        run.patch('Node', `${run.namespace}-n2`, { spec: { taints: [{ key: 'other', effect: 'NoExecute' }] } }),
      )
      await run.step('gone', () => run.gone())
      await run.step('label changed', () => run.patch('Node', `${run.namespace}-n1`, { metadata: { labels: { pool: 'none' } } }))
      await run.step('gone again', () => run.gone())
      await run.step('cordoned', () => run.patch('Node', `${run.namespace}-n0`, { spec: { unschedulable: true } }))
      await run.step('node removed', () => run.remove('Node', `${run.namespace}-n2`))
    },
  },
  {
    name: 'daemon-fails',
    kinds,
    async play(run) {
      await running(run, 1, {}, { hostNetwork: true })
      await run.step('failed', () => run.finish('Failed'))
      await run.step('gone', () => run.gone())
      await run.step('after a while', () => run.wait(3_000))
    },
  },
]
