"""The same mathematics, quicker or in less memory; nothing above knows which form is taken."""
