"""The planted-defects corpus and its evaluation: `python -m tests.planted --documents 20000`."""
