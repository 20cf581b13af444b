// `ballast chart`: the Helm chart as a folder, and as one file that is the same bytes each time.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { chartFiles } from '#deployment/packaging/chart.ts'
import { packChart } from '#deployment/packaging/chart-package.ts'
import { programVersion } from '#kube/version.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { about } from './about.ts'
import type { DefineCommand, Surroundings } from './command-line.ts'

interface ChartOptions {
  readonly out: string
  readonly package?: boolean
}

const chartName = 'ballast'

export const defineChart: DefineCommand = (program, surroundings) => {
  program
    .command('chart')
    .description(about.chart)
    .requiredOption('--out <directory>', 'the chart is written to DIRECTORY/ballast')
    .option('--package', `write DIRECTORY/ballast-VERSION.tgz as well; SOURCE_DATE_EPOCH sets the time of its files`)
    .addHelpText(
      'after',
      `\nExample: ballast chart --out build --package && helm install ballast build/ballast-${programVersion}.tgz`,
    )
    .action((options: ChartOptions) => writeChart(options, surroundings))
}

async function writeChart(options: ChartOptions, { terminal, environment }: Surroundings): Promise<void> {
  const files = chartFiles(enabledCapabilities)
  const directory = join(options.out, chartName)
  // Templates are whatever lies there: what an older version wrote must not stay. It may be somebody's own by now.
  const aside = setAside(directory, files)
  if (aside !== undefined) terminal.say(`what was in ${directory} differs, and is in ${aside} now`)
  for (const [path, text] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  terminal.say(`wrote ${files.size} files to ${directory}`)
  if (options.package !== true) return
  const packed = await packChart(chartName, files, timeOf(environment['SOURCE_DATE_EPOCH']))
  const file = join(options.out, `${chartName}-${programVersion}.tgz`)
  writeFileSync(file, packed)
  terminal.say(`wrote ${file}, sha256 ${createHash('sha256').update(packed).digest('hex')}`)
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,12}$/.test(text))
    throw new CommandRefused(`SOURCE_DATE_EPOCH: found ${JSON.stringify(text)}, expected seconds since 1970`)
  return Number(text)
}

/** Where something else is there than what is written, it gets another name; the name. */
function setAside(directory: string, files: ReadonlyMap<string, string>): string | undefined {
  if (!existsSync(directory)) return undefined
  const differs = readdirSync(directory, { recursive: true, withFileTypes: true }).some(entry => {
    if (entry.isDirectory()) return false
    const path = join(entry.parentPath, entry.name)
    return !entry.isFile() || files.get(relative(directory, path).replaceAll('\\', '/')) !== readFileSync(path, 'utf8')
  })
  if (!differs) return undefined
  for (let number = 1; ; number++) {
    const aside = `${directory}.before-${number}`
    if (existsSync(aside)) continue
    renameSync(directory, aside)
    return aside
  }
}
