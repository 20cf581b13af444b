// The command lines of the two sidecars beside a driver that are no jobs, as values: node-driver-registrar 2.17 and livenessprobe 2.19.

import {
  type LogSettings,
  logSettings,
  type ProgramFlags,
  positive,
  readSidecarFlags,
  socketOf,
  standardSocket,
} from './sidecar-flags.ts'

interface NodeSettings extends LogSettings {
  readonly address: string
  /** Where health, and metrics where there are any, are served; '' nowhere. */
  readonly endpoint: string
  /** For a call, in milliseconds. */
  readonly limitMs: number
}

const registrar: ProgramFlags = {
  program: 'csi-node-driver-registrar',
  isPlain: true,
  forms: {
    'csi-address': 'text',
    'kubelet-registration-path': 'text',
    'plugin-registration-path': 'text',
    timeout: 'duration',
    'health-port': 'whole',
    'http-endpoint': 'text',
    mode: 'text',
  },
  unused: { 'connection-timeout': 'duration' },
}

interface RegistrarSettings extends NodeSettings {
  /** The driver's socket as the kubelet sees it. */
  readonly kubeletPath: string
  readonly registry: string
  /** As a probe of older charts it has nothing to do. */
  readonly isProbe: boolean
}

/** @throws InputError with everything that is wrong */
export function registrarSettings(words: readonly string[]): RegistrarSettings {
  const read = readSidecarFlags(words, registrar)
  const { given } = read
  const kubeletPath = given.text('kubelet-registration-path')
  if (kubeletPath === '' && !given.flag('version'))
    given.refuse(
      '--kubelet-registration-path',
      '',
      'the path of the socket on the node',
      'kubelet-registration-path is a required parameter',
    )
  const port = given.number('health-port', 0)
  const endpoint = given.text('http-endpoint')
  if (port > 0 && endpoint !== '')
    given.refuse(
      '--health-port',
      port,
      'nothing beside --http-endpoint',
      'Only one of `--health-port` and `--http-endpoint` can be set',
    )
  const settings = {
    address: socketOf(given, standardSocket),
    kubeletPath,
    registry: given.text('plugin-registration-path', '/registration'),
    endpoint: port > 0 ? `:${port}` : endpoint,
    limitMs: positive(given, 'timeout', 1_000, 'ms'),
    isProbe: given.text('mode') === 'kubelet-registration-probe',
    ...logSettings(read),
  }
  read.assertWell()
  return settings
}

const liveness: ProgramFlags = {
  program: 'livenessprobe',
  isPlain: true,
  forms: {
    'csi-address': 'text',
    'probe-timeout': 'duration',
    'health-port': 'text',
    'http-endpoint': 'text',
    'metrics-address': 'text',
    'metrics-path': 'text',
  },
}

interface LivenessSettings extends NodeSettings {
  /** Where metrics alone are served; '' nowhere else than at `endpoint`, if that was given. */
  readonly metricsAddress: string
  /** Metrics are served beside health. */
  readonly hasMetrics: boolean
  readonly metricsPath: string
}

const standardPort = '9808'

/** @throws InputError with everything that is wrong */
export function livenessSettings(words: readonly string[]): LivenessSettings {
  const read = readSidecarFlags(words, liveness)
  const { given } = read
  const port = given.text('health-port', standardPort)
  const endpoint = given.text('http-endpoint')
  const metricsAddress = given.text('metrics-address')
  if (port !== standardPort && endpoint !== '')
    given.refuse(
      '--health-port',
      port,
      'nothing beside --http-endpoint',
      'Only one of `--health-port` and `--http-endpoint` can be explicitly set',
    )
  if (metricsAddress !== '' && endpoint !== '')
    given.refuse(
      '--metrics-address',
      metricsAddress,
      'nothing beside --http-endpoint',
      'Only one of `--metrics-address` and `--http-endpoint` can be explicitly set',
    )
  const settings = {
    address: socketOf(given, standardSocket),
    endpoint: endpoint || `0.0.0.0:${port}`,
    metricsAddress,
    hasMetrics: endpoint !== '',
    metricsPath: given.text('metrics-path', '/metrics'),
    limitMs: positive(given, 'probe-timeout', 3_000, 'ms'),
    ...logSettings(read),
  }
  read.assertWell()
  return settings
}
