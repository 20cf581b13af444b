// The command line and environment of Intel's operator as values.

import { InputError, type Problem } from '#kube/problem.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { overridesIn } from '../operator/plugin-images.ts'
import { type DeviceName, deviceNames } from '../operator/plugin-kinds.ts'

interface OperatorProgram {
  readonly devices: readonly DeviceName[]
  /** Where DaemonSets are made. */
  readonly namespace: string
  readonly imagePullSecret: string
  readonly imageOverrides: Readonly<Record<string, string>>
  readonly metricsAddress: string
  readonly probeAddress: string
  readonly elects: boolean
  readonly kubeconfig: string
  readonly certificateDirectory: string
  readonly verbosity: number
  readonly warnings: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  devices: 'texts', 'deviceplugin-namespace': 'text', 'metrics-bind-address': 'text', 'metrics-secure': 'bool', 'health-probe-bind-address': 'text', 'leader-elect': 'bool',
  kubeconfig: 'text', v: 'level',
}
const unusedForms: Readonly<Record<string, FlagForm>> = { 'enable-http2': 'bool', vmodule: 'text' }

/** Where Go's programs have temporary files, and this operator its certificate below. */
const certificateFolder = 'k8s-webhook-server/serving-certs'

/** What `words` and the environment say. @throws CommandRefused for devices that are unknown or named twice; InputError with everything else that is wrong */
export function operatorProgram(words: readonly string[], environment: Environment): OperatorProgram {
  const dashed = words.map(word => (/^-[A-Za-z]/.test(word) ? `-${word}` : word))
  const table = { program: 'intel-device-plugin-operator', forms, unused: unusedForms, letters: {}, words: 'refused' } as const
  const { values, unused, problems } = readFlags(dashed, table)
  if (problems.length > 0) throw new InputError(problems)
  const { text, flag } = new GivenFlags(values)
  const named = values.get('devices')
  const verbosity = values.get('v')
  const isSecure = flag('metrics-secure')
  return {
    devices: devicesIn(Array.isArray(named) ? named : []),
    namespace: textOr(environment['DEVICEPLUGIN_NAMESPACE'], text('deviceplugin-namespace', 'kube-system')),
    imagePullSecret: environment['DEVICEPLUGIN_SECRET'] ?? '',
    imageOverrides: overridesIn(environment),
    metricsAddress: isSecure ? '0' : text('metrics-bind-address', ':8080'),
    probeAddress: text('health-probe-bind-address', ':8081'),
    elects: flag('leader-elect'),
    kubeconfig: text('kubeconfig'),
    certificateDirectory: `${textOr(environment['TMPDIR'], '/tmp')}/${certificateFolder}`,
    verbosity: typeof verbosity === 'number' ? verbosity : 0,
    warnings: [
      ...unused,
      ...(isSecure
        ? ['--metrics-secure: metrics for whom the API server allows are not served by Ballast, so that nobody gets them']
        : []),
    ],
  }
}

const textOr = (value: string | undefined, standard: string) => (value === undefined || value === '' ? standard : value)

function devicesIn(named: readonly string[]): readonly DeviceName[] {
  const known = named.flatMap(name => deviceNames.filter(device => device === name))
  const problems: readonly Problem[] = named.flatMap((name, at): readonly Problem[] => {
    const where = '--devices'
    if (!deviceNames.some(device => device === name))
      return [{ code: 'flag-value', where, found: name, expected: `one of ${deviceNames.join(', ')}` }]
    return named.indexOf(name) < at ? [{ code: 'flag-value', where, found: `${name} twice`, expected: 'each device once' }] : []
  })
  // Upstream ends with 1 for these, and with 2 for flags that it cannot read.
  if (problems.length > 0)
    throw new CommandRefused(
      problems.map(({ where, found, expected }) => `${where}: found ${found}, expected ${expected}`).join('\n'),
      exitCodes.failed,
    )
  return known.length === 0 ? deviceNames : known
}
