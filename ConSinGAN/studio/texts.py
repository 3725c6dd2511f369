"""All English texts of the page."""

from __future__ import annotations

TITLE = "ConSinGAN studio"
TAGLINE = "Models of one picture"
TAB_NAMES = {"train": "Train", "models": "Models", "draw": "Draw", "paint": "Paint"}

# Paint --------------------------------------------------------------------------------------------

EDITOR = {
    "tools": "Picture and mask", "open": "Open a picture", "add": "Add an object",
    "close": "Close the picture", "undo": "Undo", "invert": "Invert mask", "clear": "Clear mask",
    "brush": "Brush", "eraser": "Eraser", "move": "Move object", "target": "What the brush paints",
    "mask": "Mask", "colour": "Colour", "size": "Size", "pick": "Colour", "wipe": "Clear paint",
    "x": "Left", "y": "Top", "scale": "Size, %", "remove": "Remove object",
    "auto": "What is added or painted is in the mask", "shown": "Show the mask",
    "view": "The picture: arrow keys move, space paints", "masked": "in the mask:",
    "empty": "Drop or paste a picture here, or open one. Another one is added as an object.",
    "unreadable": "The browser cannot read this file as a picture.",
}  # fmt: skip
PAINT_TASK = "What to do"
FILL = "Fill a hole"
FILL_TITLE = "A picture of Paint"
FILL_ABOUT = "Trains a new model on the picture, which never looks at what is masked, and fills it."
MODEL_PICTURE = "Start from the model's picture"
FINE_TUNE = "Fine-tune the model on this picture first"
FINE_TUNE_INFO = "A short training: better, and slower. It goes on if this page is closed."
ITERATIONS = "Iterations per stage"
EFFORT_OF_FILL = "How much effort?"
RUN = "Run"
TO_DRAW = "Go to Draw"
FOR_DRAW = "This model needs no picture to work on. Choose another one, or go to Draw."
NO_PICTURE = "open a picture first, or start from the model's"
NEEDS_MASK = "`mask`: paint what shall be drawn anew"
OTHER_SIZE = "the mask is not of the picture's size; open the picture again"
TOO_LARGE = "the picture is too large"
TRAINING = "Training: {text} …"
TRAINING_WAITS = "Training: waits for those before it …"
TRAINING_ENDED = "the training ended without a model; see Train"
PAINTED_FILES = "Picture and mask"

# Draw ---------------------------------------------------------------------------------------------

MODEL = "Model"
NO_MODELS = "There is no finished model yet. Train one first."
TASK = "What to draw"
TASK_NAMES = {
    "samples": "Samples", "retarget": "Other sizes", "animation": "Animation",
    "outpainting": "Outpainting", "texture": "Texture", "style": "Style",
    "super_resolution": "Super-resolution", "dehazing": "Dehazing", "inpainting": "Inpainting",
    "harmonization": "Harmonization", "editing": "Editing", "paint": "Paint",
}  # fmt: skip
FOR_PAINT = "This model works on pictures that you compose or paint."
TO_PAINT = "Go to Paint"
DRAW = "Draw"
STOP = "Stop"
MORE_OPTIONS = "More options"
DICE = "New seed"
MORE_LIKE_THIS = "More like this"
DOWNLOAD = "Download this one"
ALL_FILES = "Files"
PICTURES = "Pictures"
FILM = "Animation"
COMPARED = "Before and after"
COMMAND = "As command line"
COMMAND_INFO = "Gives the same files, to the byte, where the studio was started."
COMMAND_FILES = "Gives the same files, to the byte, with the picture that it names beside it."
RESTORE_TITLE = "Settings of a drawing"
RESTORE = "A drawing, or its settings.yaml"
RESTORED = "The settings of {name} are back. Draw gives the same file."
RESTORED_FILES = "The settings of {name} are back. Add the picture {files}, then draw."
CONTENT = "Picture to draw in this style"
NOT_THE_SAME = "This is not the same picture as then: the result will be another one."
WAITING = "Waiting for its turn …"
DRAWING = "Drawing: {done} of {total} …"
OPENING = "Opening the model …"
STOPPED = "Stopped."
DONE = "{num} in {seconds:.1f} seconds."
CHOSEN = "Nothing is chosen. Click a picture."
EMPTY = "What you draw appears here."
NOT_HERE = "the file is of task {task}: go to Paint, and drop it there"
NEEDS_CONTENT = "`content_img`: add the picture that shall be drawn in this style"
WRONG = "Nothing was drawn."
FAILED = "this machine could not draw it; the studio's output says why. Try less, or smaller"

HANDLES = {
    "top": "Top", "right": "Right", "bottom": "Bottom", "left": "Left",
    "size": "Drag the edges. In pixels:", "picture": "The model's picture",
}  # fmt: skip

OPTIONS = {
    "num_samples": "How many",
    "first": "First number",
    "size": "Size in pixels",
    "scale_h": "Height, times the picture's",
    "scale_w": "Width, times the picture's",
    "start_scale": "Keep coarse stages",
    "near": "Near sample",
    "distance": "Distance",
    "num_frames": "Frames",
    "fps": "Frames per second",
    "moves_from": "Stages that stay still",
    "beta": "Smoothness",
    "loop": "Endless loop",
    "extend": "Pixels to add",
    "full_size": "At full size",
    "match_colours": "Colours",
    "self_ensemble": "Mean of eight orientations",
    "back_projection": "Keep to the original",
    "wrap": "Goes on across",
    "tile": "Draw in windows",
    "window": "Only a part",
    "format": "File format",
    "seed": "Seed",
    "automatic": "auto",
    "H": "Height", "W": "Width", "TOP": "Top", "LEFT": "Left", "RIGHT": "Right", "BOTTOM": "Bottom",
}  # fmt: skip
OPTION_HELPS = {
    "num_samples": "Pictures to draw",
    "first": "Each number of a seed is one picture, whatever else is drawn",
    "size": "Empty: as large as the picture",
    "scale_h": "Empty in both: at four sizes",
    "scale_w": "",
    "start_scale": "0 gives new layouts, more gives variations of the picture",
    "near": "A number, or 7/3 for neighbour 3 of sample 7; empty: any samples",
    "distance": "From the sample: 0 is itself, 1 any other",
    "moves_from": "0 moves most",
    "beta": "Of the movement, near 1 calm",
    "loop": "Ends where it began",
    "extend": "Beyond the picture's edges",
    "full_size": "Put the fill into the picture as it was read",
    "match_colours": "What of the model's picture the content is given before",
    "wrap": "Edges at which the texture is seamless",
    "seed": "The same seed gives the same pictures",
    "format": "Stills: png, jpg, tif. Animations: gif, mp4, webm, apng",
    "tile": "Pixels a side; needs little memory. 0: never",
    "window": "Of every sample, pixels from its upper left corner",
    "fps": "At most 50 in a GIF",
    "num_frames": "Of the animation",
    "self_ensemble": "Better, and eight times slower",
    "back_projection": "Reduced, the result is the picture again",
    "precision": "Of the arithmetic; automatic takes what is fast here",
}

# Train --------------------------------------------------------------------------------------------

PICTURE = "Your picture"
DROP = "Drop a picture here, paste one, or click to choose"
DROP_FIRST = "Drop a picture first."
MODE = "What shall the model do?"
MODES = {
    "generation": "Variations", "retarget": "Other shapes", "animation": "Animation",
    "harmonization": "Harmonize", "editing": "Editing", "paint": "Paint to picture",
    "style": "Style", "inpainting": "Fill a hole", "super_resolution": "Enlarge",
    "dehazing": "Remove haze",
}  # fmt: skip
FILES = {  # what a mode wants besides: label, and what is said in the empty field
    "mask": (
        "Mask of the hole",
        "The same size, white where it shall be drawn anew. Or paint it in the tab Paint",
    ),
    "naive_img": ("A picture to try it on (optional)", "Shown in the previews while it learns"),
}
FILE_NEEDED = "Drop the mask, too."
EFFORT = "How much effort?"
EFFORTS = {"draft": "Draft", "standard": "Standard", "paper": "As in the paper"}
EFFORT_INFO = "Longer is sharper. Start with a draft."
PLANNING = "{name} · …"
PLAN = "{name} · about {time}"
UNITS = {"seconds": "s", "minutes": "min", "minute": "min", "hours": "h"}
PLAN_INFO = "{width}x{height} pixels, {stages} stages of {niter} iterations."
START = "Start training"
CHECKING = "Checking …"
TRAIN_OPTIONS = "More options"
NO_TRAININGS = "What you train appears here: previews while it learns, and the finished sheet."
QUEUE = "Trainings"
STATES = {
    "waiting": "waits, number {place}", "running": "training", "stopping": "is stopping …",
    "stopped": "stopped", "failed": "failed", "done": "finished", "interrupted": "interrupted",
}  # fmt: skip
BEGINNING = "Getting ready …"
STAGE = "Stage {stage} of {stages} ({width}x{height} pixels), iteration {done} of {niter}"
LEFT = "about {time} left"
WAITS = "It starts when those before it are done."
WAS_STOPPED = "Stopped, with all that was learnt saved."
WAS_INTERRUPTED = "It was interrupted. It can go on from where it was."
WAS_STOPPED_BEFORE = "Taken out of the queue before it began."
WAS_DONE = "Finished. This is what the model draws."
DRAWN = "What the model draws"
STOP_TRAINING = "Stop"
GO_ON = "Go on"
FORGET = "Remove from this list"
USE = "Draw with it"
LOSSES = {
    "real": "Critic, real", "fake": "Critic, drawn", "gradient": "Gradient",
    "penalty": "Penalty", "reconstruction": "Reconstruction", "adversarial": "Generator",
}  # fmt: skip
TRAIN_OPTION_LABELS = {
    "manualSeed": "Seed", "nfc": "Filters", "num_layer": "Layers per stage",
    "ker_size": "Kernel size", "padd_size": "Padding", "nc_im": "Channels",
    "lrelu_alpha": "Slope of the leaky ReLU", "niter": "Iterations per stage",
    "train_stages": "Stages", "min_size": "Smallest size", "max_size": "Largest size",
    "train_depth": "Stages trained at once", "lr_scale": "Likeness (learning rate factor)",
    "lr_g": "Learning rate, generator", "lr_d": "Learning rate, critic",
    "Gsteps": "Generator steps", "Dsteps": "Critic steps", "alpha": "Weight of reconstruction",
    "noise_amp": "Noise amplitude", "gpu": "CUDA device", "not_cuda": "Use the processor only",
    "pyramid": "Size and stages", "networks": "Networks", "training": "Training",
    "device": "Device", "watching": "Previews", "run": "Picture and seed",
    "augment_critic": "Changes before the critic", "colour": "Colour",
    "automatic": "automatic",
}  # fmt: skip
TRAIN_OPTION_HELPS = {
    "augment_critic": "What the critic sees of real and drawn pictures is changed at random",
}

# Models -------------------------------------------------------------------------------------------

MODELS = "Models"
SEARCH = "Search"
SEARCH_HINT = "Name, mode or date"
NO_MATCH = "No model is like that."
NO_MODELS_YET = "There are no models yet. Train one, or open one from a ZIP file."
CHOOSE_MODEL = "Choose a model to see its sheet and details."
OPEN_ZIP = "Open a model from a ZIP file"
ZIP = "Download as ZIP"
NO_ZIP = "The ZIP file could not be written: the model is gone, or the disk is full."
DELETE = "Delete …"
SURE = "Delete {title} for ever?"
DELETE_REALLY = "Yes, delete it"
KEEP = "Keep it"
BUSY = "It is in the queue of trainings. Stop it there first."
SHEET = "The finished model at a glance"
FINISHED, UNFINISHED = "finished", "not finished"
FACTS = {
    "mode": "Mode", "state": "State", "size": "Pixels", "stages": "Stages",
    "iterations": "Iterations per stage", "seed": "Seed", "date": "Date", "bytes": "On disk",
    "sliced_wasserstein": "Sliced Wasserstein", "pixel_diversity": "Diversity",
}  # fmt: skip
