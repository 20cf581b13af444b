// Objects come, change and go, while the controller is killed before and after each of its writes.
import { describeKills } from './crash-harness.ts'
import {
  argsOf,
  changePlugin,
  containerOf,
  daemonSets,
  deletePlugin,
  gpuImage,
  gpuPlugin,
  operatorCluster,
  pluginIn,
} from './operator-cluster.ts'

const minute = 60_000
const igpu = 'intel-gpu-plugin-igpu'
/** No node has it: pods that came in a run and went again would count as taken away twice. */
const nowhere = { nodeSelector: { 'example.com/gpu': 'none' } }
const onSecond = { nodeSelector: { 'example.com/gpu': null, 'kubernetes.io/hostname': 'n2' } }

describeKills({
  name: 'an old image, a new object, a change, an end',
  cluster: operatorCluster([
    gpuPlugin('igpu', { image: 'intel/intel-gpu-plugin:0.34.1', ...nowhere }),
    gpuPlugin('going', { image: gpuImage, ...nowhere }),
  ]),
  async drive(of) {
    await of.until(() => ['igpu', 'going'].every(name => pluginIn(of, name)?.status !== undefined), 10 * minute)
    await changePlugin(of, 'igpu', { sharedDevNum: 4, ...onSecond })
    await deletePlugin(of, 'going')
    await of.until(() => pluginIn(of, 'igpu')?.status?.numberReady === 1 && daemonSets(of).length === 1, 10 * minute)
    await of.pass(minute)
  },
  faults: of => [
    ...(daemonSets(of).length === 1 ? [] : [`${daemonSets(of).length} DaemonSets`]),
    ...(containerOf(of, igpu)?.image === gpuImage ? [] : [`the image is ${containerOf(of, igpu)?.image}`]),
    ...(argsOf(of, igpu) === '-v 0 -shared-dev-num 4 -allocation-policy none' ? [] : [`it runs with ${argsOf(of, igpu)}`]),
    ...(pluginIn(of, 'igpu')?.spec?.image === gpuImage ? [] : ['the object has an old image']),
    ...(pluginIn(of, 'igpu')?.status?.nodeNames?.join() === 'n2' ? [] : ['the status is not true']),
  ],
})
