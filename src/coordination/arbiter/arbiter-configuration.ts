// The section `arbiter` of the configuration file: what the installer says about disruption, and the policy that it makes.

import { z } from 'zod'
import { defaultOwnerLabel, type OwnerLabel, ownerKeys, owners } from '#cluster/ownership.ts'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { durationMs, formatDurationMs } from '#kube/time/duration.ts'
import { parseWindow, type Window, type WindowSpan } from '#kube/time/window.ts'
import { type ArbiterPolicy, defaultPolicy, gateKeys, gateNames } from '../policy/arbiter-policy.ts'

const mostWindows = 64
const longestReason = 256
const longestMs = 366 * 86_400_000

const span = (defaultMs: number) => durationBetween(0, longestMs).default(formatDurationMs(defaultMs))

const windowText = z.string().refine(text => parseWindow(text).ok, { error: ({ input }) => notWindow(input) })

function notWindow(input: unknown): string {
  const parsed = parseWindow(String(input))
  return parsed.ok ? '' : `not ${parsed.problem.expected}`
}

const count = () => z.int().min(1).max(1_000_000)

/** A label's key: an optional domain, a slash, a name. */
const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/

const { caps, coolDownMs, quarantine } = defaultPolicy

/** What a label may say that says something. */
const labelValue = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/

function ownerValue(standard: string) {
  return z.string().regex(labelValue, `not the value of a label such as "${standard}"`).default(standard)
}

/** A value that stands for two owners would say neither. */
function refuseTwins(values: OwnerLabel['values'], context: z.RefinementCtx): void {
  for (const [at, name] of owners.entries()) {
    const twin = owners.slice(0, at).find(other => values[other] === values[name])
    const message = `not a value of its own for each: ${twin} and ${name} have both ${JSON.stringify(values[name])}`
    if (twin !== undefined) context.addIssue(message)
  }
}

/** Keys of the owner label that count beside each other. */
const mostOwnerKeys = 8
const ownerKey = () => z.string().regex(labelKey, `not the key of a label such as "${defaultOwnerLabel.key}"`)

/** The schema of the section; `capabilities` are the names that may have windows. Accepts `{}`: the figures of the design. */
export function arbiterConfiguration(capabilities: readonly string[]) {
  const { keda, descheduler, none } = defaultOwnerLabel.values
  const windowsOfOne = z.array(windowText).max(mostWindows).optional()
  return z.strictObject({
    freeze: z.union([z.boolean(), z.string().max(longestReason)]).default(false),
    mergeWindow: span(defaultPolicy.mergeWindowMs),
    ownerLabel: z
      .union([ownerKey(), z.array(ownerKey()).min(1).max(mostOwnerKeys)])
      .default(() => [...ownerKeys(defaultOwnerLabel)]),
    ownerValues: z
      .strictObject({ keda: ownerValue(keda), descheduler: ownerValue(descheduler), none: ownerValue(none) })
      .superRefine(refuseTwins)
      .prefault({}),
    caps: z
      .strictObject({
        concurrent: count().optional(),
        perHour: count().default(caps.perHour),
        perNamespace: count().default(caps.perNamespace),
        perSourceNode: count().default(caps.perSourceNode),
        perDestination: count().default(caps.perDestination),
      })
      .prefault({}),
    cooldowns: z
      .strictObject({
        safety: span(coolDownMs.safety),
        correctness: span(coolDownMs.correctness),
        availability: span(coolDownMs.availability),
        capacity: span(coolDownMs.capacity),
        cost: span(coolDownMs.cost),
        balance: span(coolDownMs.balance),
        scale: span(defaultPolicy.scaleCoolDownMs),
        reverseMove: span(defaultPolicy.reverseMoveMs),
        quarantine: span(quarantine.firstMs),
        longestQuarantine: span(quarantine.longestMs),
      })
      .prefault({}),
    gates: z
      .strictObject({
        pendingPods: z.boolean().default(true),
        nodeNotReady: z.boolean().default(true),
        kubeletVersions: z.boolean().default(true),
        foreignDrain: z.boolean().default(true),
        apiSlow: z.boolean().default(true),
        usageStale: z.boolean().default(true),
      })
      .prefault({}),
    windows: z.strictObject(Object.fromEntries(capabilities.map(name => [name, windowsOfOne]))).prefault({}),
  })
}

type ArbiterConfiguration = z.output<ReturnType<typeof arbiterConfiguration>>

/** The policy that the section makes. Modes are the capabilities' own, by name; whoever is not named is held to all of it. */
export function arbiterPolicyOf(
  section: ArbiterConfiguration,
  modes: ArbiterPolicy['modes'] = {},
): { readonly policy: ArbiterPolicy; readonly ownerLabel: OwnerLabel } {
  const { cooldowns } = section
  const policy: ArbiterPolicy = {
    freeze: section.freeze === '' ? false : section.freeze,
    coolDownMs: {
      safety: durationMs(cooldowns.safety),
      correctness: durationMs(cooldowns.correctness),
      availability: durationMs(cooldowns.availability),
      capacity: durationMs(cooldowns.capacity),
      cost: durationMs(cooldowns.cost),
      balance: durationMs(cooldowns.balance),
    },
    scaleCoolDownMs: durationMs(cooldowns.scale),
    reverseMoveMs: durationMs(cooldowns.reverseMove),
    quarantine: { firstMs: durationMs(cooldowns.quarantine), longestMs: durationMs(cooldowns.longestQuarantine) },
    mergeWindowMs: durationMs(section.mergeWindow),
    caps: { ...section.caps, concurrent: section.caps.concurrent },
    gates: new Set(gateNames.filter(name => section.gates[gateKeys[name]])),
    windows: Object.fromEntries(Object.entries(section.windows).map(([name, texts]) => [name, (texts ?? []).map(readWindow)])),
    modes,
  }
  return { policy, ownerLabel: ownerLabelOf(section) }
}

/** The section that makes `policy` and `ownerLabel`: what a running process says that it goes by. */
export function arbiterSectionOf(
  policy: ArbiterPolicy,
  ownerLabel: OwnerLabel,
): z.input<ReturnType<typeof arbiterConfiguration>> {
  const { coolDownMs, quarantine } = policy
  const { concurrent, ...limits } = policy.caps
  return {
    freeze: policy.freeze,
    mergeWindow: formatDurationMs(policy.mergeWindowMs),
    ownerLabel: ownerLabel.others === undefined ? ownerLabel.key : [...ownerKeys(ownerLabel)],
    ownerValues: ownerLabel.values,
    caps: concurrent === undefined ? limits : { ...limits, concurrent },
    cooldowns: {
      safety: formatDurationMs(coolDownMs.safety),
      correctness: formatDurationMs(coolDownMs.correctness),
      availability: formatDurationMs(coolDownMs.availability),
      capacity: formatDurationMs(coolDownMs.capacity),
      cost: formatDurationMs(coolDownMs.cost),
      balance: formatDurationMs(coolDownMs.balance),
      scale: formatDurationMs(policy.scaleCoolDownMs),
      reverseMove: formatDurationMs(policy.reverseMoveMs),
      quarantine: formatDurationMs(quarantine.firstMs),
      longestQuarantine: formatDurationMs(quarantine.longestMs),
    },
    gates: Object.fromEntries(gateNames.map(name => [gateKeys[name], policy.gates.has(name)])),
    windows: Object.fromEntries(Object.entries(policy.windows).map(([name, all]) => [name, all.map(({ text }) => text)])),
  }
}

/** One key, or several of which the first that is there counts. */
function ownerLabelOf({ ownerLabel, ownerValues: values }: ArbiterConfiguration): OwnerLabel {
  const [key = defaultOwnerLabel.key, ...others] = [ownerLabel].flat()
  return others.length === 0 ? { key, values } : { key, others, values }
}

function readWindow(text: string): Window {
  const parsed = parseWindow(text)
  if (!parsed.ok) throw new Error(`a window that was checked does not parse: ${text}`)
  return remembering(parsed.value)
}

/** Reckoning a schedule costs more than all rules together: what was found holds until its span ends, or the next one begins. */
function remembering(window: Window): Window {
  let known: { readonly fromMs: number; readonly untilMs: number; readonly open: WindowSpan | undefined } | undefined
  let next: { readonly fromMs: number; readonly span: WindowSpan | undefined } | undefined
  const nextAfter = (ms: number) => {
    if (next === undefined || ms < next.fromMs || ms >= startOf(next.span)) next = { fromMs: ms, span: window.nextAfter(ms) }
    return next.span
  }
  const openAt = (ms: number) => {
    if (known === undefined || ms < known.fromMs || ms >= known.untilMs) {
      const open = window.openAt(ms)
      known =
        open === undefined
          ? { fromMs: ms, untilMs: startOf(nextAfter(ms)), open }
          : { fromMs: open.startMs, untilMs: open.endMs, open }
    }
    return known.open
  }
  return { text: window.text, openAt, nextAfter }
}

function startOf(span: WindowSpan | undefined): number {
  return span?.startMs ?? Number.POSITIVE_INFINITY
}
