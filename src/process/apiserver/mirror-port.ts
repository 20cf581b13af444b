// Where the mirror of each node serves its metrics, as the configuration of the cluster says.
import type { ControllerSettings } from '../configuration/controller-settings.ts'

const standardPort = 29_997

/** `capabilities.mirror.metricsPort`, of settings that may change; its default where they say nothing. */
export function mirrorMetricsPort(settings: Pick<ControllerSettings, 'capabilities'> | undefined): number {
  const config = settings?.capabilities['mirror']?.config
  const port: unknown = typeof config === 'object' && config !== null ? Reflect.get(config, 'metricsPort') : undefined
  return typeof port === 'number' ? port : standardPort
}
