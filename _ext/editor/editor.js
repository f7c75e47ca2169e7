/* The editor of the code cells: CodeMirror 6, set up to look like the code that it takes the place
   of. `make editor` bundles this file with it into _static/vendor/editor.js. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorView, keymap } from "@codemirror/view";
import { tagHighlighter, tags } from "@lezer/highlight";

// The classes that Pygments gives to the parts of code; the style sheet of the page colours them.
const colours = tagHighlighter([
  { tag: [tags.keyword, tags.controlKeyword, tags.definitionKeyword], class: "k" },
  { tag: tags.moduleKeyword, class: "kn" },
  { tag: tags.operatorKeyword, class: "ow" },
  { tag: [tags.bool, tags.null], class: "kc" },
  { tag: [tags.string, tags.special(tags.string)], class: "s2" },
  { tag: tags.comment, class: "c1" },
  { tag: tags.number, class: "mi" },
  { tag: tags.function(tags.definition(tags.variableName)), class: "nf" },
  { tag: tags.definition(tags.className), class: "nc" },
  { tag: tags.meta, class: "nd" },
  { tag: tags.self, class: "bp" },
  { tag: tags.operator, class: "o" },
]);

/* Type and margins of the code that stood there; its colours, which follow the scheme, are the style sheet's. */
function lookOf(code) {
  const { fontFamily, fontSize, lineHeight, paddingTop, paddingLeft } = getComputedStyle(code);
  return EditorView.theme({
    ".cm-scroller": { fontFamily, fontSize, lineHeight },
    ".cm-content": { padding: `${paddingTop} 0`, caretColor: "currentColor" },
    ".cm-line": { padding: `0 ${paddingLeft}` },
  });
}

/* Open an editor beside `code`, whose looks it takes over; `changed` is called with the text after
   each change. */
export function openEditor(code, text, { label, changed }) {
  const view = new EditorView({
    doc: text,
    parent: code.parentElement,
    extensions: [
      history(),
      pythonLanguage,
      indentUnit.of("    "),
      indentOnInput(),
      bracketMatching(),
      syntaxHighlighting(colours),
      EditorView.contentAttributes.of({ "aria-label": label, autocapitalize: "off", spellcheck: "false" }),
      lookOf(code),
      // What is typed here is no shortcut of the page.
      EditorView.domEventHandlers({ keydown: (event) => event.stopPropagation() }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed(update.state.doc.toString());
      }),
      // Escape, then Tab, leaves the editor.
      keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
    ],
  });
  return {
    focus(point = null) {
      const place = point && view.posAtCoords(point);
      if (place !== null) view.dispatch({ selection: { anchor: place } });
      view.focus();
    },
    close() {
      view.destroy();
    },
  };
}
