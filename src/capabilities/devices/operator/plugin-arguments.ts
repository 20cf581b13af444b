// The command line of each plugin, as upstream's operator writes it from an object: the order counts, since DaemonSets are compared by it.

import type { DeviceName } from './plugin-kinds.ts'
import type { PluginSpec } from './plugin-schema.ts'

const verbosity = ({ logLevel = 0 }: PluginSpec) => ['-v', String(logLevel)]
const shares = ({ sharedDevNum = 1 }: PluginSpec) => ['-shared-dev-num', String(sharedDevNum)]
/** A flag with its value, where there is one. */
const given = (flag: string, value: string | undefined) => (value === undefined || value === '' ? [] : [flag, value])
const monitoringMode = ({ monitoringMode: mode = '' }: PluginSpec) => (mode === '' ? [] : [`-monitoring-mode=${mode}`])
const textOr = (value: string | undefined, standard: string) => (value === undefined || value === '' ? standard : value)

const further: Readonly<Record<DeviceName, (spec: PluginSpec) => readonly string[]>> = {
  gpu: spec => [
    ...(spec.enableMonitoring === true ? ['-enable-monitoring', ...monitoringMode(spec)] : []),
    ...shares(spec),
    '-allocation-policy',
    textOr(spec.preferredAllocationPolicy, 'none'),
    ...given('-allow-ids', spec.allowIDs),
    ...given('-deny-ids', spec.denyIDs),
    ...given('-bypath', spec.bypathMode),
  ],
  npu: shares,
  sgx: ({ enclaveLimit = 1, provisionLimit = 1, dcapInfraResources }) => [
    '-enclave-limit',
    String(enclaveLimit),
    '-provision-limit',
    String(provisionLimit),
    ...(dcapInfraResources === true ? ['-dcap-infra-resources'] : []),
  ],
  qat: ({ dpdkDriver, kernelVfDrivers = [], maxNumDevices = 32, preferredAllocationPolicy }) => [
    '-dpdk-driver',
    textOr(dpdkDriver, 'vfio-pci'),
    '-kernel-vf-drivers',
    textOr(kernelVfDrivers.join(','), 'c6xxvf,4xxxvf'),
    '-max-num-devices',
    String(maxNumDevices),
    ...given('-allocation-policy', preferredAllocationPolicy),
  ],
  dsa: spec => ['-driver', textOr(spec.driver, 'idxd'), ...shares(spec)],
  iaa: shares,
  dlb: () => [],
  fpga: ({ mode }) => ['-mode', textOr(mode, 'af')],
}

export function pluginArguments(device: DeviceName, spec: PluginSpec): readonly string[] {
  return [...verbosity(spec), ...further[device](spec)]
}
