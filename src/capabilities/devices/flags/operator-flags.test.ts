import { expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { deviceNames } from '../operator/plugin-kinds.ts'
import { operatorProgram } from './operator-flags.ts'

test('without a word everything is as upstream has it', () => {
  expect(operatorProgram([], {})).toEqual({
    devices: deviceNames,
    namespace: 'kube-system',
    imagePullSecret: '',
    imageOverrides: {},
    metricsAddress: ':8080',
    probeAddress: ':8081',
    elects: false,
    kubeconfig: '',
    certificateDirectory: '/tmp/k8s-webhook-server/serving-certs',
    verbosity: 0,
    warnings: [],
  })
})

test('words with one dash or two, and the environment, which wins for the namespace', () => {
  const words = ['-devices=gpu', '--devices', 'npu', '-leader-elect', '--deviceplugin-namespace=a', '-metrics-secure', '-v=4']
  const environment = {
    DEVICEPLUGIN_NAMESPACE: 'b',
    DEVICEPLUGIN_SECRET: 'pull',
    INTEL_GPU_PLUGIN_SHA: 'mine@sha256:1',
    TMPDIR: '/t',
  }
  expect(operatorProgram(words, environment)).toMatchObject({
    devices: ['gpu', 'npu'],
    namespace: 'b',
    imagePullSecret: 'pull',
    imageOverrides: { 'intel-gpu-plugin': 'mine@sha256:1' },
    metricsAddress: '0',
    elects: true,
    certificateDirectory: '/t/k8s-webhook-server/serving-certs',
    verbosity: 4,
    warnings: [expect.stringContaining('--metrics-secure')],
  })
})

const refusal = (words: readonly string[]) => {
  try {
    operatorProgram(words, {})
  } catch (error) {
    return error
  }
  return undefined
}

test.each([
  [['--devices=gpu', '--devices=gpu'], 'gpu twice'],
  [['--devices=tpu'], 'found tpu'],
] as const)('%s ends with 1', (words, why) => {
  const refused = refusal(words)
  expect(refused).toBeInstanceOf(CommandRefused)
  expect(refused instanceof CommandRefused ? [refused.code, refused.message.includes(why)] : []).toEqual([1, true])
})

test.each([[['--device=gpu']], [['--leader-elect=perhaps']], [['gpu']]])('%s is refused as a flag', words => {
  expect(refusal(words)).toBeInstanceOf(InputError)
})
