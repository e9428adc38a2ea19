/**
 * How the code is written (standard style) and the rules of the house.
 *
 * It stands here rather than at the top so that the top level stays small:
 * `npm run lint` names it.
 */

import { fileURLToPath } from 'node:url'
import js from '@eslint/js'
import stylistic from '@stylistic/eslint-plugin'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { house } from './house.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a core gets as an argument instead: the time, and random numbers. */
const IMPURE_GLOBALS = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'crypto', 'fetch', 'process']

const style = [
  stylistic.configs.customize({
    indent: 2,
    quotes: 'single',
    semi: false,
    braceStyle: '1tbs',
    commaDangle: 'never',
    quoteProps: 'as-needed'
  }),
  {
    rules: {
      '@stylistic/space-before-function-paren': ['error', 'always'],
      '@stylistic/generator-star-spacing': ['error', 'both'],
      '@stylistic/yield-star-spacing': ['error', 'both'],
      '@stylistic/member-delimiter-style': ['error', {
        multiline: { delimiter: 'none' },
        singleline: { delimiter: 'comma' }
      }],
      '@stylistic/no-mixed-operators': ['error', {
        groups: [['==', '!=', '===', '!==', '>', '>=', '<', '<='], ['&&', '||'], ['in', 'instanceof']],
        allowSamePrecedence: true
      }],
      '@stylistic/operator-linebreak': ['error', 'after', { overrides: { '?': 'before', ':': 'before', '|': 'before' } }],
      // both forms read well: one for a name, one for a type beside it
      '@stylistic/arrow-parens': 'off',
      '@stylistic/max-statements-per-line': 'off'
    }
  }
]

export default defineConfig(
  { ignores: ['dist', 'docs', '**/node_modules'] },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  style,
  {
    languageOptions: { parserOptions: { project: 'tsconfig.json', tsconfigRootDir: ROOT } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-empty': ['error', { allowEmptyCatch: true }],
      // the compiler knows the names that exist
      'no-undef': 'off',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // what was caught, or is the reason of a signal, is passed on as it is
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      // CIDs, PeerIds and multiaddrs are made to be printed
      '@typescript-eslint/restrict-template-expressions': 'off',
      // factories return objects whose methods use no `this`
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/strict-boolean-expressions': 'error',
      // a method of an interface may be asynchronous in one class and not in another
      '@typescript-eslint/require-await': 'off'
    }
  },
  {
    files: ['src/**'],
    plugins: { house },
    rules: {
      'max-lines': ['error', 400],
      'house/layers': ['error', 'src'],
      'house/no-cycle': 'error'
    }
  },
  {
    files: ['src/*/core/**', 'src/content/**', 'src/core.ts', 'src/random.ts', 'src/wire/parse.ts'],
    rules: {
      'no-restricted-globals': ['error', ...IMPURE_GLOBALS],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Take a `Random` as an argument.' }]
    }
  },
  {
    files: ['test/**', 'examples/**'],
    rules: {
      'no-console': 'off',
      'no-restricted-properties': ['error',
        ...['describe', 'it', 'context'].flatMap(object => [{ object, property: 'only' }, { object, property: 'skip' }])
      ],
      // tests hand in what the types forbid, and read what no type describes
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // chai: expect(x).to.be.true
      '@typescript-eslint/no-unused-expressions': 'off'
    }
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { project: null } },
    rules: { '@typescript-eslint/explicit-function-return-type': 'off' }
  }
)
