// `ballast twin`: the embedded cluster alone, for kubectl, tests and other people's controllers.
import { once } from 'node:events'
import { resolve } from 'node:path'
import { hostClock } from '#kube/clock.ts'
import { problemSentence } from '#kube/problem.ts'
import { startTwin } from '#twin/twin.ts'
import { type DefineCommand, wholeNumber } from './command-line.ts'
import { writePrivately } from './private-file.ts'
import { readSourceOrInput } from './source.ts'

interface TwinCommandOptions {
  readonly cluster?: string
  readonly port: number
  readonly bind: string
  readonly kubeconfigOut?: string
  readonly kubernetesVersion?: string
  readonly seed?: number
  readonly speed: number
}

export const defineTwin: DefineCommand = (program, surroundings) => {
  program
    .command('twin')
    .description('the embedded cluster alone: an API server with simulated nodes behind it')
    .option('--cluster <path>', 'file or folder of objects to start with, - for standard input; empty without')
    .option('--port <number>', 'HTTPS port of the API server; 0 takes a free one', wholeNumber(0, 65_535), 0)
    .option('--bind <address>', 'address to listen on', '127.0.0.1')
    .option('--kubeconfig-out <file>', "where the administrator's kubeconfig is written; without it, it is printed")
    .option('--kubernetes-version <minor>', '1.32 to 1.36; the newest kubelet of the cluster, else the newest')
    .option('--seed <number>', 'of every random choice', wholeNumber(0, 2 ** 32 - 1))
    .option('--speed <factor>', 'how many seconds of the cluster pass in one of ours', wholeNumber(1, 10_000), 1)
    .addHelpText(
      'after',
      '\nExample: ballast twin --cluster examples/talos-homelab --kubeconfig-out kubeconfig\n         kubectl --kubeconfig kubeconfig get nodes',
    )
    .action(async (options: TwinCommandOptions) => {
      const { terminal, signal, environment } = surroundings
      const source =
        options.cluster === undefined
          ? { objects: [], problems: [] }
          : await readSourceOrInput(options.cluster, process.stdin, signal)
      for (const problem of source.problems) terminal.say(`set aside: ${problemSentence(problem)}`)
      await using twin = await startTwin({
        clock: hostClock({ speed: options.speed }),
        seed: options.seed ?? Number(environment['BALLAST_SEED'] ?? 1),
        objects: source.objects.map(({ object }) => object),
        listen: { port: options.port, bind: options.bind },
        ...(options.kubernetesVersion === undefined ? {} : { kubernetesVersion: options.kubernetesVersion }),
      })
      const kubeconfig = await twin.kubeconfig()
      if (options.kubeconfigOut === undefined) terminal.write(kubeconfig.trimEnd())
      else {
        writePrivately(resolve(options.kubeconfigOut), kubeconfig)
        terminal.say(`API server ${twin.url ?? ''}; kubectl --kubeconfig ${options.kubeconfigOut} get nodes`)
      }
      if (!signal.aborted) await once(signal, 'abort')
    })
}
