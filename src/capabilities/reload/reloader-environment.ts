// What upstream reads from the environment, as keys of the configuration. A receiver of alerts that is none is told and left out, as
// upstream goes on without it.
import type { Override } from '#kube/configuration.ts'

interface ReadEnvironment {
  readonly overrides: readonly Override[]
  readonly warnings: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Settings of alerts and metrics in the environment. */
export function reloadEnvironment(environment: Environment): ReadEnvironment {
  const overrides: Override[] = []
  const warnings: string[] = []
  const set = (variable: string, key: readonly string[], value: unknown) =>
    overrides.push({ path: ['capabilities', 'reload', ...key], value, where: variable })
  const textOf = (variable: string) => (environment[variable] ?? '').trim()
  if (environment['METRICS_COUNT_BY_NAMESPACE'] === 'enabled') set('METRICS_COUNT_BY_NAMESPACE', ['metricsByNamespace'], true)
  if (environment['ALERT_ON_RELOAD'] !== 'true') return { overrides, warnings }
  set('ALERT_ON_RELOAD', ['alerts', 'enabled'], true)
  set('ALERT_SINK', ['alerts', 'sink'], sinkOf(textOf('ALERT_SINK')))
  // Upstream asks whether it is set, not whether it says anything.
  if (environment['ALERT_ADDITIONAL_INFO'] !== undefined)
    set('ALERT_ADDITIONAL_INFO', ['alerts', 'additionalInfo'], textOf('ALERT_ADDITIONAL_INFO') || ' ')
  for (const [variable, key] of [
    ['ALERT_WEBHOOK_URL', 'webhookUrl'],
    ['ALERT_WEBHOOK_PROXY', 'proxy'],
  ] as const) {
    const text = textOf(variable)
    if (isHttpUrl(text)) set(variable, ['alerts', key], text)
    else if (text !== '') warnings.push(`${variable} is no http or https URL and left out`)
  }
  return { overrides, warnings }
}

const sinks = ['slack', 'teams', 'gchat']

/** A sink that upstream does not know gets plain text. */
export function sinkOf(text: string): string {
  const name = text.trim().toLowerCase()
  return sinks.includes(name) ? name : ''
}

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '')
}

/** Where the process itself lives, and what it is called. */
export function ownPlace(environment: Environment): { readonly name?: string; readonly namespace?: string } {
  const name = environment['POD_NAME'] || environment['BALLAST_POD_NAME']
  const namespace = environment['POD_NAMESPACE'] || environment['RELOADER_NAMESPACE'] || environment['BALLAST_POD_NAMESPACE']
  return { ...(name === undefined ? {} : { name }), ...(namespace === undefined ? {} : { namespace }) }
}
