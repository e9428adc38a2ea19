/**
 * Chromium for the tests: found, else installed from Debian's packages, else
 * asked for. Run by itself, it prints where it is.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, BrowserServer } from 'playwright-core'

/** Names of its program, by which it is looked for in the PATH. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Where installers put it that leave the PATH alone. */
const PLACES = [
  '/usr/bin',
  '/usr/local/bin',
  '/snap/bin'
].flatMap(folder => NAMES.map(name => join(folder, name))).concat([
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ...['ProgramFiles', 'ProgramFiles(x86)', 'LOCALAPPDATA'].flatMap(name => {
    const folder = process.env[name]

    return folder == null ? [] : [join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'), join(folder, 'Chromium', 'Application', 'chrome.exe')]
  })
])

/** Nothing but the pages of the tests shall use the network; and they can tell how much memory they take. */
export const ARGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-precise-memory-info'
]

/** Ms that it has to end by itself; then it is killed. */
const PATIENCE = 5_000

/** A running Chromium. */
export interface Chromium extends AsyncDisposable {
  browser: Browser
}

/** Where Chromium is looked for, and whether it is installed; tests say otherwise. */
export interface ChromiumPathInit {
  /** Beside the PATH. */
  places?: string[]

  /** With PATH and CHROME_PATH. */
  env?: NodeJS.ProcessEnv

  /** Whether packages can be installed. */
  mayInstall?: boolean
}

/**
 * Where Chromium is; installs it if need be.
 *
 * @throws {Error} CHROME_PATH names no file, or there is no Chromium and none can be installed
 */
export async function chromiumPath ({
  places = PLACES,
  env = process.env,
  mayInstall = process.platform === 'linux' && process.getuid?.() === 0
}: ChromiumPathInit = {}): Promise<string> {
  const found = findChromium(places, env)

  if (found != null) {
    return found
  }

  if (mayInstall && findIn('apt-get', env) != null) {
    await install('chromium', env)
    const installed = findChromium(places, env)

    if (installed != null) {
      return installed
    }
  }

  throw new Error('The tests need Chromium or Chrome: install it (on Debian: apt-get install chromium), or set CHROME_PATH to its program')
}

/**
 * Starts a Chromium that stores nothing and shows nothing.
 *
 * @throws {Error} there is no Chromium, or it does not start
 */
export async function startChromium (): Promise<Chromium> {
  const server = await chromium.launchServer({
    executablePath: await chromiumPath(),
    args: [...ARGS, ...process.getuid?.() === 0 ? ['--no-sandbox'] : []]
  })

  try {
    const browser = await chromium.connect(server.wsEndpoint())

    return { browser, [Symbol.asyncDispose]: async () => { await end(server) } }
  } catch (err) {
    await end(server)
    throw err
  }
}

/**
 * Starts a Chromium that stores what it stores in a folder, as it would for a
 * user: without one, private files are in its memory.
 *
 * @throws {Error} there is no Chromium, or it does not start
 */
export async function openProfile (folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, {
    executablePath: await chromiumPath(),
    args: [...ARGS, ...process.getuid?.() === 0 ? ['--no-sandbox'] : []]
  })
}

/** Chromium that hangs, or whose page does, is killed. */
async function end (server: BrowserServer): Promise<void> {
  const timer = setTimeout(() => { server.process().kill('SIGKILL') }, PATIENCE)

  try {
    await server.close()
  } finally {
    clearTimeout(timer)
  }
}

function findChromium (places: string[], env: NodeJS.ProcessEnv): string | undefined {
  const { CHROME_PATH } = env

  if (CHROME_PATH == null || CHROME_PATH === '') {
    return places.find(path => existsSync(path)) ?? NAMES.map(name => findIn(name, env)).find(path => path != null)
  }

  if (!existsSync(CHROME_PATH)) {
    throw new Error(`CHROME_PATH is set to ${CHROME_PATH}, where nothing is`)
  }

  return CHROME_PATH
}

/** The first program of that name in the PATH. */
function findIn (name: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env.PATH ?? '').split(delimiter).map(folder => join(folder, name)).find(path => existsSync(path))
}

async function install (name: string, env: NodeJS.ProcessEnv): Promise<void> {
  console.error(`Installing ${name} from Debian's packages`)

  try {
    await aptGet(['install', '--yes', '--no-install-recommends', name], env)
  } catch {
    // the lists of packages are missing, or too old
    await aptGet(['update'], env)
    await aptGet(['install', '--yes', '--no-install-recommends', name], env)
  }
}

/** What it prints goes to stderr: stdout is for the path alone. */
async function aptGet (args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('apt-get', ['--quiet', ...args], {
      env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', process.stderr, process.stderr]
    })
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) {
        resolve()
      } else {
        reject(new Error(`apt-get ${args.join(' ')} ended with ${code}: install Chromium by hand, or set CHROME_PATH to its program`))
      }
    })
  })
}

if (import.meta.main) {
  console.log(await chromiumPath())
}
