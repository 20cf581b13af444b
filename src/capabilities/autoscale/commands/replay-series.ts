// `ballast simulate --scaledobject`: reads both files, plays the series, and draws what came of it.
import type { AskedReplay, SeriesReplay } from '#cli/simulate/replayed-series.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { formatTime } from '#kube/time/time.ts'
import { boundsProblem } from '../admission/bounds.ts'
import { isResourceTrigger } from '../admission/modifiers.ts'
import { compositeTarget } from '../decisions/autoscaler.ts'
import { type CompositeFormula, compositeFormula } from '../formula/composite.ts'
import { FormulaProblem } from '../formula/tokens.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { hasFormula } from '../operator/check.ts'
import { flapMs, mostSteps, type Replay, replay, stepMs } from '../replay/replay.ts'
import { readSeries } from '../replay/series.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import { replicaChart } from './replica-chart.ts'

/** Changes that are printed; `-o json` has all. */
const mostChanges = 24

/** @throws InputError with all that is wrong in either file */
export async function replayFiles(asked: AskedReplay): Promise<SeriesReplay> {
  const { objectFile, seriesFile, replicas, signal } = asked
  const spec = checkAgainst(
    scaledObjectSpec,
    asked.object['spec'],
    `${objectFile}: ScaledObject ${asked.object.metadata.name}: spec`,
  )
  const series = readSeries(seriesFile, asked.series)
  const problems = [...(spec.ok ? [] : spec.problems), ...(series.ok ? [] : series.problems)]
  if (!spec.ok || !series.ok) throw new InputError(problems)
  const object: ScaledObject = { ...asked.object, spec: spec.value }
  const refused = (found: string, expected: string): Problem => ({
    ...{ code: 'replayed-object', where: `${objectFile}: ScaledObject ${object.metadata.name}`, found, expected },
  })
  const bounds = boundsProblem(object.spec)
  if (bounds !== undefined) throw new InputError([refused(bounds, 'replica counts that fit together')])
  const steps =
    ((series.value.times.at(-1) ?? 0) - (series.value.times[0] ?? 0)) /
    Math.min(stepMs, (object.spec.pollingInterval ?? 30) * 1_000)
  if (steps > mostSteps)
    throw new InputError([
      {
        code: 'series-syntax',
        where: seriesFile,
        found: `${Math.ceil(steps)} steps`,
        expected: `at most ${mostSteps}: a year of 15 s each`,
      },
    ])
  try {
    const played = await replay({ object, series: series.value, formula: formulaOf(object), replicas, signal })
    return { lines: columns => linesOf(object, played, columns), document: documentOf(object, played) }
  } catch (error) {
    if (error instanceof TriggerProblem)
      throw new InputError([refused(error.message, 'triggers that the series can be played to')])
    if (error instanceof FormulaProblem) throw new InputError([refused(error.message, 'a formula that can be read')])
    throw error
  }
}

/** @throws FormulaProblem, TriggerProblem */
function formulaOf(object: ScaledObject): CompositeFormula | undefined {
  if (!hasFormula(object)) return undefined
  if (compositeTarget(object) === undefined)
    throw new TriggerProblem('advanced.scalingModifiers.target must be a number above 0 where a formula is set')
  const names = object.spec.triggers.flatMap(trigger =>
    isResourceTrigger(trigger) || trigger.name === undefined ? [] : [trigger.name],
  )
  return compositeFormula(object.spec.advanced?.scalingModifiers?.formula ?? '', names)
}

function linesOf({ metadata, spec }: ScaledObject, played: Replay, columns: number): readonly string[] {
  const { fromMs, toMs, replicas, changes, notes, podHours, hoursAtZero, flaps, failedLooks } = played
  const most = Math.max(...bounded(replicas, Math.max))
  const [least] = bounded(replicas, Math.min)
  const hours = (toMs - fromMs) / 3_600_000
  const share = hours === 0 ? 0 : Math.floor((hoursAtZero / hours) * 100)
  const shown = changes.slice(0, mostChanges)
  return [
    `ScaledObject ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name} (${spec.scaleTargetRef.kind ?? 'Deployment'} ${spec.scaleTargetRef.name}), ${replicas.length} steps of ${stepMs / 1_000} s`,
    ...replicaChart(replicas, { fromMs, toMs, columns }),
    `replicas: ${least} to ${most}; ${podHours.toFixed(1)} pod-hours; ${share} % of the time at zero`,
    `changes: ${changes.length}, of which ${flaps} took back the one before within ${flapMs / 60_000} min`,
    ...(failedLooks === 0 ? [] : [`looks at which a source did not answer: ${failedLooks}`]),
    ...notes,
    ...shown.map(
      ({ atMs, from, to, by, why }) =>
        `  ${formatTime(atMs)}  ${from} -> ${to}  ${by === 'ScaledObject' ? 'ScaledObject' : 'HPA'}: ${why}`,
    ),
    ...(changes.length > shown.length ? [`  ... and ${changes.length - shown.length} more; -o json has all`] : []),
  ]
}

/** A long list has more numbers than a call takes. */
function bounded(values: readonly number[], choose: (a: number, b: number) => number): readonly [number] {
  return [values.reduce((best, value) => choose(best, value), values[0] ?? 0)]
}

function documentOf({ metadata, spec }: ScaledObject, played: Replay): Readonly<Record<string, unknown>> {
  const { fromMs, toMs, replicas, changes, notes, podHours, hoursAtZero, flaps, failedLooks } = played
  return {
    apiVersion: 'cli.ballast.dev/v1',
    kind: 'ScaledObjectReplay',
    scaledObject: { ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }), name: metadata.name },
    target: { kind: spec.scaleTargetRef.kind ?? 'Deployment', name: spec.scaleTargetRef.name },
    from: formatTime(fromMs),
    to: formatTime(toMs),
    stepSeconds: stepMs / 1_000,
    podHours,
    hoursAtZero,
    flaps,
    failedLooks,
    notes,
    changes: changes.map(({ atMs, ...change }) => ({ at: formatTime(atMs), ...change })),
    replicas,
  }
}
