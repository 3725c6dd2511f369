"""The toolkit in a browser, on this machine: `python -m ConSinGAN.studio`.

    __main__.py  options.py    flags; neither torch nor Gradio is loaded for them
    server.py                  starts the page and ends it, cleans up
    guard.py                   what a browser may ask for: see there
    app.py                     the page: its tabs in order
    forms.py                   controls made from classes of options
    tabs/                      one tab a file
    texts.py  theme.py  style.css    every English text, colours and fonts, the page's look
    services.py                `Studio`: what all tabs share
    models.py                  run directories below the models folder, by an id
    sessions.py                folders of temporary files, one a session

A tab is a module of `tabs` with

    def build(studio: Studio, page: Page) -> None

which is called inside its own `gr.Tab` and adds components and events there. `studio` lives as
long as the program, and is shared by all who look; what belongs to one of them is in `gr.State`, or
in files in `studio.sessions.of(request)` (event functions get it by a parameter
`request: gr.Request`). `page` holds what tabs share of one page: `page.chosen`, the id of the
chosen model ("" for none), whose `change` every tab may listen to; `page.tabs`, to turn to another;
`page.blocks.load`, for what is done whenever a page is opened.

Rules. A client names models by id alone (`studio.models.path(id)` looks it up, and raises
UsageError for what it does not list): no path that was typed or sent is ever opened. Uploads are
the exception, whose paths Gradio and `guard` check; copy what has to last. What users typed, file
names and errors are shown by `html.escape` or in components that show plain text, never as
Markdown. Events have no names for programs: `app` makes them private.
"""
