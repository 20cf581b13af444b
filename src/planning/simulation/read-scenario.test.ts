import { expect, test } from 'vitest'
import { problemSentence } from '#kube/problem.ts'
import { node, workload } from '../testdata/objects.ts'
import { readScenario } from './read-scenario.ts'
import { operationNames } from './scenario.ts'
import { faultsOf } from './testdata/playing.ts'

const cluster = [
  node('a'),
  node('b'),
  ...workload('shop/cart', { on: ['a', 'b'], budget: { maxUnavailable: 1 } }),
  ...workload('shop/log', { kind: 'DaemonSet', on: ['a', 'b'] }),
]

// biome-ignore format: a table
const bad: readonly (readonly [what: string, text: string, said: readonly (string | RegExp)[]])[] = [
  ['no YAML', 'steps: [', [/^s\.yaml: line 1 column 9: .*YAML: .*\[scenario-syntax\]$/]],
  ['two keys alike', 'steps: []\nsteps: []', [/line 2 column 1: .*Map keys must be unique/]],
  ['an alias of nothing', 'steps: *gone', [/Unresolved alias/]],
  ['no object', '- cordon', [/^s\.yaml: line 1: found "\[.*expected object/]],
  ['nothing', '', [/^s\.yaml: found "null", expected object/]],
  ['no steps', 'name: x', [/^s\.yaml: line 1: steps: found "nothing", expected array/]],
  ['no step', 'steps: []', [/line 1: steps: found "\[\]", .*Too small/]],
  ['a step that is none', 'steps: [5]', [/steps\[0\]: found "5", expected object/]],
  ['no operation', 'steps:\n- say: x', [/line 2: steps\[0\]: found "no operation", expected exactly one of addNode, /]],
  ['two operations', 'steps:\n- cordon: {node: a}\n  uncordon: {node: a}', [/line 2: steps\[0\]: found "cordon and uncordon", expected exactly one/]],
  ['a word that is none, with the nearest', 'steps:\n- evit: {node: a}', [/line 2: steps\[0\]\.evit: found "evit", expected an operation: evict, /]],
  ['a field that is none', 'steps:\n- cordon: {node: a, nodes: b}', [/line 2: steps\[0\]\.cordon\.nodes: found "nodes", expected a field that there is/]],
  ['a field at the top that is none', 'seeds: 3\nsteps:\n- cordon: {node: a}', [/line 1: seeds: found "seeds"/]],
  ['all that is wrong at once', 'seed: -1\nsteps:\n- cordon: {}\n- taint: {node: a, key: k, effect: Never}', [/line 1: seed: /, /line 3: steps\[0\]\.cordon\.node: /, /line 4: steps\[1\]\.taint\.effect: found "\\"Never\\""/]],
  ['a seed beyond 32 bits', 'seed: 4294967296\nsteps:\n- cordon: {node: a}', [/line 1: seed: /]],
  ['a server that is none', 'server: "2"\nsteps:\n- cordon: {node: a}', [/line 1: server: /]],
  ['a time that is none', 'now: yesterday\nsteps:\n- cordon: {node: a}', [/line 1: now: /]],
  ['a kubelet that is none', 'kubelet: slow\nsteps:\n- cordon: {node: a}', [/line 1: kubelet: /]],
  ['watts below idle', 'watts:\n- {node: a, idle: 20, max: 10}\nsteps:\n- cordon: {node: a}', [/line 2: watts\[0\]\.max: found "10", expected at least idle/]],
  ['a goal without bound', 'goals:\n- {name: g, nodes: [a], resource: cpu}\nsteps:\n- cordon: {node: a}', [/line 2: goals\[0\]: .*max, min or both/]],
  ['a goal above 100 %', 'goals:\n- {name: g, nodes: [a], resource: cpu, max: 170}\nsteps:\n- cordon: {node: a}', [/line 2: goals\[0\]\.max: found "170"/]],
  ['an expectation that is none', 'steps:\n- cordon: {node: a}\nexpect:\n- {pends: 3}', [/line 4: expect\[0\]\.pending: found "nothing"/, /line 4: expect\[0\]\.pends: found "pends"/]],
  ['an expectation without bound', 'steps:\n- cordon: {node: a}\nexpect:\n- {node: a, resource: cpu}', [/line 4: expect\[0\]: .*above, below or both/]],
  ['addNode: a quantity', 'steps:\n- addNode: {name: c, allocatable: {cpu: 4 cores}}', [/steps\[0\]\.addNode\.allocatable\.cpu: found "\\"4 cores\\"", expected a quantity/]],
  ['addNode: a name that is taken', 'steps:\n- addNode: {name: a}', [/line 2: steps\[0\]\.addNode\.name: found "a", expected a name that no node has \[scenario-target\]/]],
  ['addNode: like nothing', 'steps:\n- addNode: {name: c, like: z}', [/found "z", expected a node that is there \(a, b\)/]],
  ['addNode: too many', 'steps:\n- addNode: {name: c, count: 5001}', [/addNode\.count/]],
  ['removeNode', 'steps:\n- removeNode: {node: z}', [/line 2: steps\[0\]\.removeNode\.node: found "z", expected a node that is there \(a, b\)/]],
  ['cordon', 'steps:\n- cordon: {node: [a, z]}', [/steps\[0\]\.cordon\.node: found "z"/]],
  ['uncordon', 'steps:\n- uncordon: {node: z}', [/steps\[0\]\.uncordon\.node: found "z"/]],
  ['taint', 'steps:\n- taint: {node: z, key: k, effect: NoSchedule}', [/steps\[0\]\.taint\.node: found "z"/]],
  ['untaint', 'steps:\n- untaint: {node: z, key: k}', [/steps\[0\]\.untaint\.node: found "z"/]],
  ['label: two targets', 'steps:\n- label: {node: a, namespace: shop, labels: {x: y}}', [/exactly one of node, namespace, workload/]],
  ['label: a namespace', 'steps:\n- label: {namespace: z, labels: {x: y}}', [/steps\[0\]\.label\.namespace: found "z"/]],
  ['setAllocatable', 'steps:\n- setAllocatable: {node: z, allocatable: {cpu: 4}}', [/steps\[0\]\.setAllocatable\.node: found "z"/]],
  ['setAllocatable: less than nothing known', 'steps:\n- setAllocatable: {node: a}', [/setAllocatable\.allocatable/]],
  ['scale: nothing of that name', 'steps:\n- scale: {workload: shop/card, replicas: 3}', [/steps\[0\]\.scale\.workload: found "shop\/card", expected a workload that is there \(shop\/cart, shop\/log\)/]],
  ['scale: a DaemonSet', 'steps:\n- scale: {workload: shop/log, replicas: 3}', [/found "DaemonSet shop\/log", expected a Deployment, StatefulSet or ReplicaSet/]],
  ['scale: half a pod', 'steps:\n- scale: {workload: shop/cart, replicas: 1.5}', [/steps\[0\]\.scale\.replicas: found "1\.5"/]],
  ['scale: a name without namespace', 'steps:\n- scale: {workload: cart, replicas: 1}', [/found "\\"cart\\"", expected NAMESPACE\/NAME/]],
  ['setRequests: a container', 'steps:\n- setRequests: {workload: shop/cart, container: side, requests: {cpu: 1}}', [/steps\[0\]\.setRequests\.container: found "side", expected one of main/]],
  ['setRequests: nothing', 'steps:\n- setRequests: {workload: shop/cart, requests: {}}', [/setRequests\.requests: .*at least one resource/]],
  ['apply: nothing', 'steps:\n- apply: {}', [/exactly one of objects, file/]],
  ['apply: no object', 'steps:\n- apply: {objects: [{kind: Pod}]}', [/apply\.objects\[0\]\.apiVersion/, /apply\.objects\[0\]\.metadata/]],
  ['apply: an object that is wrong', 'steps:\n- apply: {objects: [{apiVersion: v1, kind: Node, metadata: {name: c}, status: {allocatable: {cpu: much}}}]}', [/line 2: steps\[0\]\.apply\.objects: Node c: status\.allocatable\.cpu: found "much"/]],
  ['evict: everything', 'steps:\n- evict: {}', [/steps\[0\]\.evict: .*at least one of pods, workload, node, namespaces, labelSelector/]],
  ['evict: a pod', 'steps:\n- evict: {pods: [shop/cart-1]}', [/steps\[0\]\.evict\.pods: found "shop\/cart-1", expected a pod that is there/]],
  ['evict: a selector', 'steps:\n- evict: {labelSelector: "a in ("}', [/evict\.labelSelector: .*expected a label selector/]],
  ['evict: a pace', 'steps:\n- evict: {node: a, pace: slowly}', [/evict\.pace/]],
  ['drain', 'steps:\n- drain: {node: z}', [/steps\[0\]\.drain\.node: found "z"/]],
  ['delete: both', 'steps:\n- delete: {node: a, object: {kind: Service, name: x}}', [/either object, or a choice of pods/]],
  ['delete: nothing there', 'steps:\n- delete: {object: {kind: Service, namespace: shop, name: x}}', [/found "Service shop\/x", expected an object that is there/]],
  ['delete: a node', 'steps:\n- delete: {object: {kind: Node, name: a}}', [/expected another kind; removeNode takes nodes away/]],
  ['applyPolicy: two sources', 'steps:\n- applyPolicy: {policy: a, file: b}', [/one of policy, file, descheduler, configMap/]],
  ['isolate', 'steps:\n- isolate: {node: z}', [/steps\[0\]\.isolate\.node: found "z"/]],
  ['powerOff', 'steps:\n- powerOff: {node: z}', [/steps\[0\]\.powerOff\.node: found "z"/]],
  ['schedulerConfig: nothing', 'steps:\n- schedulerConfig: {}', [/exactly one of configuration, file/]],
  ['a scenario that is too long', `name: ${'x'.repeat(8 * 1024 * 1024)}`, [/characters", expected at most 8388608 \[scenario-too-large\]/]],
]

test.each(bad)('refused with line and path: %s', async (_what, text, said) => {
  const faults = await faultsOf(cluster, text)
  expect(faults).toHaveLength(said.length)
  for (const [at, pattern] of said.entries()) expect(faults[at]).toMatch(pattern)
})

test('every operation has a row of what is wrong with it', () => {
  const words = bad.map(([, text]) => text).join('\n')
  expect(operationNames.filter(name => !words.includes(`${name}: {`))).toEqual([])
})

test('defaults are filled in, and places are those of the file', () => {
  const read = readScenario('s.yaml', 'steps:\n# a comment\n- say: first\n  evict:\n    node: a\n')
  if (!read.ok) throw new Error(read.problems.map(problemSentence).join())
  expect(read.scenario).toMatchObject({ name: '', seed: 1, kubelet: 'fast', goals: [], watts: [], expect: [] })
  expect(read.scenario.steps).toEqual([
    { say: 'first', operation: { op: 'evict', node: 'a', order: 'name', pace: 'one-by-one' }, expect: [] },
  ])
  expect(read.scenario.where(['steps', 0, 'evict', 'node'])).toBe('s.yaml: line 5: steps[0].evict.node')
  expect(read.scenario.where(['steps', 0, 'evict', 'order'])).toBe('s.yaml: line 4: steps[0].evict.order')
})
