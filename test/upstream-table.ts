// The table of docs/arbiter.md: what a user who swaps an upstream for Ballast sees otherwise in each mode, from the replayed recordings.
import { type ArbitrationMode, arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import type { RecordedUpstream } from './upstream-disruptions.ts'
import { atOnceSeconds, differences, type Fate, isSame, type Replayed } from './upstream-replay.ts'

/** What the workloads of the drop-in cluster are there for. */
const about: Readonly<Record<string, string>> = {
  api: 'one replica, no label',
  web: 'two replicas, a budget, `descheduler`',
  llm: 'target of a ScaledObject',
  pinned: '`none`',
  guarded: '`karpenter.sh/do-not-disrupt`',
  fresh: 'two replicas, a budget, one replaced ten minutes ago',
  asleep: 'at zero',
  cache: 'two replicas, no label, to grow',
  quiet: '`none`, to grow',
  idle: 'no label, to shrink',
}

/** The section, between its markers: one table an upstream, a row for each thing that ends otherwise in some mode. */
export function dropInTables(
  all: readonly { readonly recorded: RecordedUpstream; readonly replayed: readonly Replayed[] }[],
): string {
  return all
    .map(({ recorded, replayed }) => {
      const rows = differences(replayed)
      const done = replayed.filter(({ isUpstreamDone }) => isUpstreamDone).length
      const same = arbitrationModes.map(
        mode => `${replayed.filter(one => isSame(one, one.modes[mode])).length} of ${replayed.length} in \`${mode}\``,
      )
      return [
        `### ${titles[recorded.upstream] ?? recorded.upstream} (${recorded.version})`,
        '',
        `Recorded: ${recorded.when}. It asked for ${replayed.length} disruptions and made ${done}. As the upstream: ${same.join(', ')}.`,
        '',
        '| what | upstream | `observe` | `coordinate` | `enforce` |',
        '|---|---|---|---|---|',
        ...rows.map(
          row =>
            `| ${subjectOf(row)} | ${upstreamWords(row)} | ${arbitrationModes.map(mode => wordsOf(row, mode)).join(' | ')} |`,
        ),
      ].join('\n')
    })
    .join('\n\n')
}

const titles: Readonly<Record<string, string>> = {
  reloader: 'Reloader',
  descheduler: 'descheduler, LowNodeUtilization',
  updater: 'VPA updater',
}

function subjectOf({ act }: Replayed): string {
  const [workload = ''] = act.subject.split('-')
  const last = act.subject.at(-1) ?? ''
  const which = act.verb === 'evict' && act.subject !== workload ? ` (pod ${last})` : ''
  const again = act.verb === 'rollout' && act.afterSeconds > 0 ? ', rotated again' : ''
  return `${workload}${which}: ${about[workload] ?? ''}${again}`
}

function upstreamWords({ act, isUpstreamDone }: Replayed): string {
  if (isUpstreamDone) return act.verb === 'evict' ? 'evicted' : 'rolled out'
  return act.code === 429 ? 'refused by its budget' : 'template written, no pod'
}

function wordsOf(row: Replayed, mode: ArbitrationMode): string {
  const fate = row.modes[mode]
  return isSame(row, fate) ? 'the same' : fateWords(fate)
}

function fateWords({ afterSeconds, answers, waitsSeconds }: Fate): string {
  const rules = answers.flatMap(answer =>
    answer.startsWith('defer ') || answer.startsWith('deny ') ? [`\`${answer.replace(/^\S+ /, '')}\``] : [],
  )
  const why = rules.length === 0 ? '' : ` (${rules.join(', ')})`
  if (afterSeconds !== undefined) return afterSeconds <= atOnceSeconds ? `at once${why}` : `${span(afterSeconds)} later${why}`
  if (waitsSeconds !== undefined) return `waits for ${span(waitsSeconds)}${why}`
  return answers.some(answer => answer.startsWith('deny ')) ? `denied${why}` : `not done (${answers.join(', ')})`
}

/** `1 min`, `6 h`: as a person says it, and as no change of a few seconds alters. */
function span(seconds: number): string {
  if (seconds < 55) return 'under a minute'
  if (seconds < 600) return `${Math.round((seconds - 10) / 60)} min`
  if (seconds < 5_400) return `${5 * Math.round(seconds / 300)} min`
  return `${Math.round(seconds / 3_600)} h`
}
