// Workloads, nodes, images, decisions, settings and the twin, without a script.
import type {
  ImagesView,
  Me,
  NodePodPage,
  NodeView,
  Permit,
  PermitPage,
  SettingRow,
  TwinView,
  WorkloadPage,
  WorkloadRow,
  WorkloadView,
} from '../../contract.ts'
import { goalsMarkup } from '../../web/drawn/goals.ts'
import { element, type Markup, type Surroundings } from '../../web/drawn/markup.ts'
import { momentMarkup, sentenceMarkup } from '../../web/drawn/sentence.ts'
import type { DrawnColumn } from '../../web/drawn/table.ts'
import { verdictMarkup } from '../../web/drawn/verdict.ts'
import { exactCpu, exactMemory } from '../../words/en.ts'
import { counted } from '../../words/grammar.ts'
import { nodePath } from '../../words/links.ts'
import { count, cpuExact, memoryExact, memoryShort } from '../../words/quantity.ts'
import { paragraphs, part, plainTable, refLink } from './tables.ts'

export function plainPermits({ permits, counts }: PermitPage, empty: string, surroundings: Surroundings): readonly Markup[] {
  const columns: readonly DrawnColumn<Permit>[] = [
    { title: 'Time', isHeader: true, cell: ({ at }) => momentMarkup(at, surroundings) },
    { title: 'Decision', cell: ({ decision }) => decision },
    { title: 'Asked by', cell: ({ capability }) => capability },
    { title: 'What', cell: ({ verb, target }) => [`${verb} `, refLink(target, surroundings)] },
    { title: 'Why', cell: ({ because }) => sentenceMarkup(because, surroundings) },
    { title: 'Ended', cell: ({ outcome }) => outcome ?? undefined },
  ]
  const table = plainTable({ caption: 'Decisions, the newest first', columns, rows: permits, empty })
  return [...paragraphs([counts.sentence], surroundings), ...table]
}

export function plainWorkloads({ workloads, total }: WorkloadPage, empty: string, surroundings: Surroundings): readonly Markup[] {
  const columns: readonly DrawnColumn<WorkloadRow>[] = [
    { title: 'Workload', isHeader: true, cell: ({ ref }) => refLink(ref, surroundings) },
    { title: 'Kind', cell: ({ ref }) => ref.kind },
    { title: 'Pods', isNumber: true, cell: ({ pods }) => count(pods) },
    { title: 'Ready', isNumber: true, cell: ({ ready }) => count(ready) },
    { title: 'Owner', cell: ({ owner }) => owner },
    { title: 'CPU requested', isNumber: true, cell: ({ cpu }) => cpuExact(cpu) },
    { title: 'Memory requested', isNumber: true, cell: ({ memory }) => memoryExact(memory) },
    { title: 'Nodes', cell: ({ nodes }) => nodes.slice(0, 5).join(', ') },
  ]
  return plainTable({ caption: 'Workloads', columns, rows: workloads, total, empty })
}

export function plainWorkload(view: WorkloadView, surroundings: Surroundings): readonly Markup[] {
  const { verdict, wouldBe, pods, podCount, history, owner, ready } = view
  return [
    verdictMarkup({ verdict, loading: null }, surroundings),
    element(
      'p',
      {},
      `Owner ${owner.value} (${owner.origin}). ${ready === null ? '' : `${count(ready.ready)} of ${count(ready.wanted)} ready.`}`,
    ),
    part(
      'If asked now',
      ...plainTable({
        caption: 'What would be decided now',
        columns: [
          { title: 'Who', isHeader: true, cell: ({ capability }) => capability },
          { title: 'Answer', cell: ({ allowed }) => (allowed ? '✓ granted' : '✕ refused') },
          { title: 'Why', cell: ({ because }) => sentenceMarkup(because, surroundings) },
        ] satisfies readonly DrawnColumn<WorkloadView['wouldBe'][number]>[],
        rows: wouldBe,
        empty: 'Nobody would ask.',
      }),
    ),
    part(
      'Pods',
      ...plainTable({
        caption: 'Pods',
        columns: [
          { title: 'Pod', isHeader: true, cell: ({ name }) => name },
          {
            title: 'Node',
            cell: ({ node }) => (node === null ? 'no node' : element('a', { href: surroundings.link(nodePath(node)) }, node)),
          },
          { title: 'State', cell: ({ phase, ready: isReady }) => `${phase}${isReady ? ', ready' : ''}` },
          { title: 'CPU requested', isNumber: true, cell: ({ cpu }) => cpuExact(cpu.requested) },
          { title: 'Memory requested', isNumber: true, cell: ({ memory }) => memoryExact(memory.requested) },
        ] satisfies readonly DrawnColumn<WorkloadView['pods'][number]>[],
        rows: pods,
        total: podCount,
        empty: podCount === null ? 'Which pods it had then is not kept.' : 'It has no pods now.',
      }),
    ),
    part(
      'What happened',
      ...plainTable({
        caption: 'What happened, the newest first',
        columns: [
          { title: 'Time', isHeader: true, cell: ({ at }) => momentMarkup(at, surroundings) },
          { title: 'Who', cell: ({ who }) => who },
          { title: 'What', cell: ({ sentence }) => sentenceMarkup(sentence, surroundings) },
        ] satisfies readonly DrawnColumn<WorkloadView['history'][number]>[],
        rows: history,
        empty: 'Nothing is kept of it.',
      }),
    ),
  ]
}

export function plainNode(view: NodeView, pods: NodePodPage, surroundings: Surroundings): readonly Markup[] {
  const { row, verdict, goals, podCount } = view
  return [
    verdictMarkup({ verdict, loading: null }, surroundings),
    element('p', {}, `CPU ${exactCpu(row.cpu.requested, row.cpu.allocatable)} requested, ${cpuExact(row.cpu.used)} used.`),
    element(
      'p',
      {},
      `Memory ${exactMemory(row.memory.requested, row.memory.allocatable)} requested, ${memoryShort(row.memory.used)} used.`,
    ),
    ...(goals.length === 0 ? [] : [part('Goals', goalsMarkup({ goals, goalsEmpty: null }, surroundings))]),
    part(
      `Pods ${count(podCount)}`,
      ...plainTable({
        caption: 'Pods of the node',
        columns: [
          { title: 'Pod', isHeader: true, cell: ({ ref, workload }) => refLink(workload ?? ref, surroundings) },
          { title: 'CPU requested', isNumber: true, cell: ({ cpu }) => cpuExact(cpu.requested) },
          { title: 'Memory requested', isNumber: true, cell: ({ memory }) => memoryExact(memory.requested) },
          { title: 'May it leave?', cell: ({ movable }) => (movable ? '✓ movable' : '– stays') },
          { title: 'Why', cell: ({ because }) => sentenceMarkup(because, surroundings) },
        ] satisfies readonly DrawnColumn<NodePodPage['pods'][number]>[],
        rows: pods.pods,
        total: pods.total,
        empty: pods.total === null ? 'Which pods it carried then is not known.' : 'No pod is on it.',
      }),
      pods.hidden === 0 ? undefined : element('p', {}, `${counted(pods.hidden, 'pod')} you may not see.`),
    ),
  ]
}

export function plainImages({ sentences, mirrors, images, total }: ImagesView, surroundings: Surroundings): readonly Markup[] {
  return [
    ...paragraphs(sentences, surroundings),
    part(
      'Nodes',
      ...plainTable({
        caption: 'Image mirrors by node',
        columns: [
          {
            title: 'Node',
            isHeader: true,
            cell: ({ node }) => element('a', { href: surroundings.link(nodePath(node)) }, node),
          },
          { title: 'Mirror', cell: ({ state, because }) => (because === null ? state : `${state}: ${because}`) },
          { title: 'Images', isNumber: true, cell: row => count(row.images) },
          { title: 'From nodes', isNumber: true, cell: ({ fromNodes }) => memoryShort(fromNodes) },
          { title: 'From outside', isNumber: true, cell: ({ fromOutside }) => memoryShort(fromOutside) },
        ] satisfies readonly DrawnColumn<ImagesView['mirrors'][number]>[],
        rows: mirrors,
        empty: 'The cluster has no nodes.',
      }),
    ),
    part(
      'Images',
      ...plainTable({
        caption: 'Images',
        columns: [
          { title: 'Image', isHeader: true, cell: ({ name }) => name },
          { title: 'Size', isNumber: true, cell: ({ bytes }) => memoryShort(bytes) },
          { title: 'Nodes', isNumber: true, cell: ({ nodeCount }) => count(nodeCount) },
          { title: 'On', cell: ({ nodes }) => nodes.slice(0, 4).join(', ') },
        ] satisfies readonly DrawnColumn<ImagesView['images'][number]>[],
        rows: images,
        total,
        empty: 'No node lists an image, and no pod runs.',
      }),
    ),
  ]
}

export function plainSettings(settings: readonly SettingRow[], me: Pick<Me, 'name'>): readonly Markup[] {
  return [
    element('p', {}, `You are ${me.name}. What holds now, read only. It is changed where it comes from.`),
    ...plainTable({
      caption: 'Settings',
      columns: [
        { title: 'Setting', isHeader: true, cell: ({ key }) => key },
        { title: 'Value', cell: ({ value }) => value },
        { title: 'From', cell: ({ origin }) => origin },
      ] satisfies readonly DrawnColumn<SettingRow>[],
      rows: settings,
      empty: 'There are no settings.',
    }),
  ]
}

export function plainTwin({ paused, speed, source, seed, faults }: TwinView, surroundings: Surroundings): readonly Markup[] {
  const pace = paused
    ? 'It is paused.'
    : speed === null
      ? 'It goes as fast as it can.'
      : `A second of ours is ${speed} of its own.`
  return [
    element('p', {}, `A simulated cluster of ${source}, seed ${seed}. ${pace}`),
    ...plainTable({
      caption: 'Faults',
      columns: [
        { title: 'Fault', isHeader: true, cell: ({ name }) => name },
        { title: 'What', cell: ({ text }) => text },
        { title: 'Since', cell: ({ since }) => (since === null ? undefined : momentMarkup(since, surroundings)) },
      ] satisfies readonly DrawnColumn<TwinView['faults'][number]>[],
      rows: faults,
      empty: 'No fault is in force.',
    }),
  ]
}
