"""Sentences in other languages than the spec's; @name is filled in."""

LANGUAGES = {
    "de": (
        "@name mag einfachen Käse, weil ihn jede Familie bezahlen kann.", "Der Händler fragte nach dem Grund und bekam eine ehrliche Antwort.",
        "Am Abend wurde die Frage noch einmal gestellt, und niemand war überrascht.", "Wer den Grund kennt, kann die Antwort selbst finden.",
        "Im Markt standen die Leute Schlange und sprachen über die Preise.", "Das Gespräch dauerte länger, als alle gedacht hatten.",
        "Für @name zählt, dass eine Freude für viele erreichbar bleibt.", "Die Lehrerin schrieb den Satz an die Tafel und ließ ihn stehen.",
    ),
    "fr": (
        "@name aime le fromage simple parce que chaque famille peut le payer.", "Le marchand a demandé la raison et a reçu une réponse honnête.",
        "Le soir, la question fut posée de nouveau et personne ne fut surpris.", "Celui qui connaît la raison peut trouver la réponse lui-même.",
        "Au marché, les gens faisaient la queue et parlaient des prix.", "La conversation a duré plus longtemps que prévu.",
        "Pour @name, il importe qu'un plaisir reste à la portée de tous.", "La maîtresse écrivit la phrase au tableau et la laissa là.",
    ),
    "es": (
        "A @name le gusta el queso sencillo porque cada familia puede pagarlo.", "El vendedor preguntó por la razón y recibió una respuesta honesta.",
        "Por la tarde se hizo otra vez la pregunta y nadie se sorprendió.", "Quien conoce la razón puede encontrar la respuesta por sí mismo.",
        "En el mercado la gente hacía cola y hablaba de los precios.", "La conversación duró más de lo que todos pensaban.",
        "Para @name importa que un placer siga al alcance de muchos.", "La maestra escribió la frase en la pizarra y la dejó allí.",
    ),
    "it": (
        "A @name piace il formaggio semplice perché ogni famiglia può pagarlo.", "Il mercante chiese il motivo e ricevette una risposta onesta.",
        "La sera la domanda fu posta di nuovo e nessuno si sorprese.", "Chi conosce il motivo può trovare da solo la risposta.",
        "Al mercato la gente faceva la fila e parlava dei prezzi.", "La conversazione durò più a lungo di quanto tutti pensassero.",
        "Per @name conta che un piacere resti alla portata di molti.", "La maestra scrisse la frase alla lavagna e la lasciò lì.",
    ),
    "pt": (
        "@name gosta de queijo simples porque cada família pode pagá-lo.", "O vendedor perguntou pela razão e recebeu uma resposta honesta.",
        "À tarde a pergunta foi feita de novo e ninguém ficou surpreso.", "Quem conhece a razão pode encontrar a resposta sozinho.",
        "No mercado as pessoas faziam fila e falavam dos preços.", "A conversa durou mais do que todos pensavam.",
        "Para @name importa que um prazer fique ao alcance de muitos.", "A professora escreveu a frase no quadro e deixou-a lá.",
    ),
    "nl": (
        "@name houdt van eenvoudige kaas omdat elk gezin die kan betalen.", "De koopman vroeg naar de reden en kreeg een eerlijk antwoord.",
        "'s Avonds werd de vraag nog eens gesteld en niemand was verrast.", "Wie de reden kent, kan het antwoord zelf vinden.",
        "Op de markt stonden de mensen in de rij en spraken over de prijzen.", "Het gesprek duurde langer dan iedereen had gedacht.",
        "Voor @name telt dat een genoegen voor velen bereikbaar blijft.", "De lerares schreef de zin op het bord en liet hem staan.",
    ),
    "pl": (
        "@name lubi prosty ser, ponieważ stać na niego każdą rodzinę.", "Sprzedawca zapytał o powód i otrzymał szczerą odpowiedź.",
        "Wieczorem pytanie padło jeszcze raz i nikt się nie zdziwił.", "Kto zna powód, ten sam znajdzie odpowiedź.",
        "Na targu ludzie stali w kolejce i rozmawiali o cenach.", "Rozmowa trwała dłużej, niż wszyscy myśleli.",
        "Dla @name ważne jest, aby przyjemność była dostępna dla wielu.", "Nauczycielka napisała zdanie na tablicy i zostawiła je tam.",
    ),
    "tr": (
        "@name sade peyniri sever, çünkü her aile onu alabilir.", "Satıcı nedenini sordu ve dürüst bir cevap aldı.",
        "Akşam soru bir kez daha soruldu ve kimse şaşırmadı.", "Nedeni bilen cevabı kendisi bulabilir.",
        "Pazarda insanlar sırada bekliyor ve fiyatlardan konuşuyordu.", "Konuşma herkesin düşündüğünden uzun sürdü.",
        "@name için önemli olan, bir zevkin herkese açık kalmasıdır.", "Öğretmen cümleyi tahtaya yazdı ve orada bıraktı.",
    ),
    "ru": (
        "@name любит простой сыр, потому что он доступен каждой семье.", "Торговец спросил о причине и получил честный ответ.",
        "Вечером вопрос задали снова, и никто не удивился.", "Кто знает причину, тот сам найдёт ответ.",
        "На рынке люди стояли в очереди и говорили о ценах.", "Разговор длился дольше, чем все думали.",
        "Для @name важно, чтобы радость оставалась доступной многим.", "Учительница написала фразу на доске и оставила её там.",
    ),
    "zh": (
        "@name喜欢简单的奶酪，因为每个家庭都买得起。", "商人问起原因，得到了诚实的回答。", "晚上又有人提出这个问题，谁也不觉得奇怪。",
        "知道原因的人自己就能找到答案。", "市场里人们排着队，谈论着价格。", "谈话持续的时间比大家想的要长。",
        "对@name来说，重要的是让许多人都能享受到乐趣。", "老师把这句话写在黑板上，一直留着。",
    ),
    "ja": (
        "@nameは素朴なチーズが好きです。どの家庭でも買えるからです。", "商人は理由を尋ね、正直な答えをもらいました。",
        "夜にもう一度その質問が出ましたが、誰も驚きませんでした。", "理由を知っている人は自分で答えを見つけられます。",
        "市場では人々が列に並び、値段の話をしていました。", "会話は皆が思ったより長く続きました。",
        "@nameにとって大切なのは、楽しみが多くの人に届くことです。", "先生はその文を黒板に書き、そのままにしました。",
    ),
    "ar": (
        "يحب @name الجبن البسيط لأن كل أسرة تستطيع شراءه.", "سأل التاجر عن السبب وحصل على جواب صادق.", "في المساء طُرح السؤال مرة أخرى ولم يتفاجأ أحد.",
        "من يعرف السبب يستطيع أن يجد الجواب بنفسه.", "في السوق وقف الناس في الصف وتحدثوا عن الأسعار.", "استمر الحديث أطول مما ظن الجميع.",
        "المهم عند @name أن تبقى المتعة في متناول الكثيرين.", "كتبت المعلمة الجملة على اللوح وتركتها هناك.",
    ),
    "ko": (
        "@name은 모든 가정이 살 수 있기 때문에 소박한 치즈를 좋아합니다.", "상인은 이유를 물었고 솔직한 대답을 들었습니다.",
        "저녁에 질문이 다시 나왔지만 아무도 놀라지 않았습니다.", "이유를 아는 사람은 스스로 답을 찾을 수 있습니다.",
        "시장에서 사람들은 줄을 서서 가격 이야기를 했습니다.", "대화는 모두가 생각한 것보다 오래 이어졌습니다.",
        "@name에게 중요한 것은 즐거움이 많은 사람에게 닿는 것입니다.", "선생님은 그 문장을 칠판에 쓰고 그대로 두었습니다.",
    ),
}  # fmt: skip
