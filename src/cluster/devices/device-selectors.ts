// Which devices a selector picks: CEL with the variable `device`, as dynamic-resource-allocation/cel declares it.

import { evaluateCel } from '#kube/cel/cel.ts'
import { CelQuantity, CelVersion, MapWithDefault } from '#kube/cel/cel-values.ts'
import { quantity } from '#kube/values/quantity.ts'
import type { Device, DeviceAttribute, DeviceSelector } from './device-shapes.ts'

type Selection =
  | { readonly kind: 'picked' }
  | { readonly kind: 'passed over' }
  /** The expression has no answer. `at` counts selectors from 0. */
  | { readonly kind: 'failed'; readonly at: number; readonly problem: string }

/** Remembers for each device what was asked of it. */
export class DeviceSelectors {
  readonly #variables = new WeakMap<Device, Readonly<Record<string, unknown>>>()
  readonly #answers = new WeakMap<Device, Map<string, boolean | string>>()

  /** Whether all of `selectors` pick a device of `driver`. An expression that cannot be evaluated picks nothing and is told. */
  select(selectors: readonly DeviceSelector[], device: Device, driver: string): Selection {
    for (const [at, selector] of selectors.entries()) {
      const answer = this.#answer(selector.cel?.expression ?? '', device, driver)
      if (typeof answer === 'string') return { kind: 'failed', at, problem: answer }
      if (!answer) return { kind: 'passed over' }
    }
    return { kind: 'picked' }
  }

  #answer(expression: string, device: Device, driver: string): boolean | string {
    const known = this.#answers.get(device) ?? new Map<string, boolean | string>()
    this.#answers.set(device, known)
    const before = known.get(expression)
    if (before !== undefined) return before
    const answer = unknownAttribute(device) ?? this.#evaluated(expression, device, driver)
    known.set(expression, answer)
    return answer
  }

  #evaluated(expression: string, device: Device, driver: string): boolean | string {
    const outcome = evaluateCel(expression, { device: this.#variable(device, driver) })
    if (!outcome.ok) return outcome.problem
    return typeof outcome.value === 'boolean' ? outcome.value : `the result is ${typeof outcome.value}, not a bool`
  }

  #variable(device: Device, driver: string): Readonly<Record<string, unknown>> {
    const known = this.#variables.get(device)
    if (known !== undefined) return known
    const made = {
      driver,
      allowMultipleAllocations: device.allowMultipleAllocations === true,
      attributes: byDomain(device.attributes ?? {}, driver, attributeValue),
      capacity: byDomain(device.capacity ?? {}, driver, ({ value }) => new CelQuantity(quantity(value))),
    }
    this.#variables.set(device, made)
    return made
  }
}

/** An attribute of a type that a later API server knows: what an expression would make of it is not known here. */
function unknownAttribute({ attributes = {} }: Device): string | undefined {
  const unknown = Object.entries(attributes).find(
    ([, { string, int, bool, version }]) => (string ?? int ?? bool ?? version) === undefined,
  )
  return unknown && `attribute ${unknown[0]}: unsupported attribute value`
}

function attributeValue({ string, int, bool, version }: DeviceAttribute): unknown {
  if (version === undefined) return int ?? bool ?? string
  // What is no semantic version compares with nothing, and a comparison says so.
  return CelVersion.read(version) ?? version
}

/** Names without a domain are the driver's. */
function byDomain<T>(named: Readonly<Record<string, T>>, driver: string, valueFor: (given: T) => unknown): MapWithDefault {
  const domains: Record<string, Record<string, unknown>> = {}
  for (const [name, given] of Object.entries(named)) {
    const slash = name.indexOf('/')
    const domain = slash < 0 ? driver : name.slice(0, slash)
    domains[domain] ??= {}
    domains[domain][name.slice(slash + 1)] = valueFor(given)
  }
  return new MapWithDefault(domains, {})
}
