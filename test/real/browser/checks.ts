// The dashboard in Debian's Chromium, against `ballast up` as a program of its own.
import type { Check } from '../check.ts'
import { judgeOddBrowsers, judgeTabs, judgeUndoAndReset } from './behaviour.ts'
import { judgeCapabilityPage } from './capability-page.ts'
import { judgeReconnect, judgeStart } from './connection.ts'
import { judgeExports } from './exports.ts'
import { judgeHostileText, judgeTheme } from './manners.ts'
import { judgeManyNodes } from './many-nodes.ts'
import { judgeFirefox } from './other-browser.ts'
import { judgeKeyboard, judgeLooks, judgePrint, judgeWithoutScript } from './pages.ts'
import { judgePast } from './past.ts'
import { judgeRebalancing, judgeRebalancingOfMany } from './rebalancing.ts'
import { judgeReplay, judgeReplayFiles, judgeReplayOfMany } from './replay.ts'
import { judgeSignIn } from './sign-in.ts'
import { judgeSite } from './site.ts'
import { judgeKeptFocus, judgeStates } from './states.ts'
import { judgeStory } from './story.ts'
import { judgeTwinControls } from './twin-controls.ts'

export const browserChecks: readonly Check[] = [
  { name: 'browser: the story of the example', run: judgeStory },
  { name: 'browser: every page in every look', run: judgeLooks },
  { name: 'browser: without JavaScript', run: judgeWithoutScript },
  { name: 'browser: by keyboard alone', run: judgeKeyboard },
  { name: 'browser: the focus stays, and f, Enter and Escape', run: judgeKeptFocus },
  { name: 'browser: nobody leads, one namespace, a server that hangs', run: judgeStates },
  { name: 'browser: a page that a capability brings', run: judgeCapabilityPage },
  { name: 'browser: on paper', run: judgePrint },
  { name: 'browser: the server gone and back', run: judgeReconnect },
  { name: 'browser: tables and drawings as files', run: judgeExports },
  { name: 'browser: a link to a moment', run: judgePast },
  { name: 'browser: rebalancing over time', run: judgeRebalancing },
  { name: 'browser: a plan played', run: judgeReplay },
  { name: 'browser: a plan played from a file, without a network', run: judgeReplayFiles },
  { name: 'browser: the controls of the twin', run: judgeTwinControls },
  { name: 'browser: sign-in, and what each viewer may do', run: judgeSignIn },
  { name: 'browser: the theme is kept', run: judgeTheme },
  { name: 'browser: text of others stays text', run: judgeHostileText },
  { name: 'browser: the site of the documents', run: judgeSite },
  { name: 'browser: tabs share a stream', run: judgeTabs },
  { name: 'browser: a pause taken back, a twin begun anew', run: judgeUndoAndReset },
  { name: 'browser: another version, and a browser that keeps nothing', run: judgeOddBrowsers },
  { name: 'browser: Firefox shows the pages and plays a plan', run: judgeFirefox },
  { name: 'browser: first paint and what is loaded', alone: true, run: judgeStart },
  { name: 'browser: 5,000 nodes and 150,000 pods', alone: true, run: judgeManyNodes },
  { name: 'browser: rebalancing of 5,000 nodes', alone: true, run: judgeRebalancingOfMany },
  { name: 'browser: a plan of 5,000 nodes played', alone: true, run: judgeReplayOfMany },
]
